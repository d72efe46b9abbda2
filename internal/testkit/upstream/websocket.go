package upstream

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
)

// The opcodes of RFC 6455 section 5.2 that the echo knows.
const (
	textFrame  = 0x1
	closeFrame = 0x8
	pingFrame  = 0x9
	pongFrame  = 0xa
)

// sockets are the connections that left the HTTP server.
type sockets struct {
	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
	talks  sync.WaitGroup
}

func (s *sockets) add(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.open == nil {
		s.open = map[net.Conn]struct{}{}
	}
	s.open[conn] = struct{}{}
	return true
}

func (s *sockets) remove(conn net.Conn) {
	_ = conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, conn)
}

func (s *sockets) close() {
	s.mu.Lock()
	s.closed = true
	for conn := range s.open {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.talks.Wait()
}

func wantsWebSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") && r.Header.Get("Sec-WebSocket-Key") != ""
}

// webSocket says by a first message what the handshake was, and sends back every
// text message.
func (u *Upstream) webSocket(w http.ResponseWriter, r *http.Request, e Echo) {
	hello, err := json.Marshal(e)
	if err != nil || len(hello) > math.MaxUint16 {
		http.Error(w, "the handshake is too long to send back", http.StatusRequestHeaderFieldsTooLarge)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusHTTPVersionNotSupported)
		return
	}
	if !u.sockets.add(conn) {
		_ = conn.Close()
		return
	}
	u.sockets.talks.Go(func() {
		defer u.sockets.remove(conn)
		// The accept key of RFC 6455 section 4.2.2.
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n")
		if writeFrame(rw.Writer, textFrame, hello) == nil {
			echoFrames(rw)
		}
	})
}

// echoFrames ends where the client closes, or sends what this does not know.
func echoFrames(rw *bufio.ReadWriter) {
	for {
		opcode, message, err := readFrame(rw.Reader)
		if err != nil {
			return
		}
		if opcode == pingFrame {
			opcode = pongFrame
		}
		if writeFrame(rw.Writer, opcode, message) != nil || opcode == closeFrame {
			return
		}
	}
}

func writeFrame(w *bufio.Writer, opcode byte, message []byte) error {
	header := []byte{0x80 | opcode}
	if len(message) < 126 {
		header = append(header, byte(len(message)))
	} else {
		header = binary.BigEndian.AppendUint16(append(header, 126), uint16(len(message)))
	}
	_, _ = w.Write(header)
	_, _ = w.Write(message)
	return w.Flush()
}

// readFrame reads a whole message of at most 64 KiB, masked as clients must.
func readFrame(r *bufio.Reader) (opcode byte, message []byte, err error) {
	var header [2]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, nil, err
	}
	length := int(header[1] & 0x7f)
	if header[0]&0x80 == 0 || header[1]&0x80 == 0 || length == 127 {
		return 0, nil, errors.New("a frame that is in parts, not masked, or too long")
	}
	if length == 126 {
		var long [2]byte
		if _, err := io.ReadFull(r, long[:]); err != nil {
			return 0, nil, err
		}
		length = int(binary.BigEndian.Uint16(long[:]))
	}
	masked := make([]byte, 4+length)
	if _, err := io.ReadFull(r, masked); err != nil {
		return 0, nil, err
	}
	mask, message := masked[:4], masked[4:]
	for i := range message {
		message[i] ^= mask[i%4]
	}
	return header[0] & 0xf, message, nil
}
