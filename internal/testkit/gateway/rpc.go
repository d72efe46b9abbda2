package gateway

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

const tries = 3

// errNoMethod is APISIX's own failure on a method the protocol has no code for.
var errNoMethod = errors.New("no code for the method")

// communicate asks the runner about a request. It returns an answer where the
// request ends here, nil where it continues.
func (w *worker) communicate(req *request, block *extPlugin, key string) *answer {
	var err error
	for range tries {
		var verdict a6.Answer
		verdict, err = w.call(req, block, key)
		if err == nil {
			return req.apply(verdict)
		}
		if errors.Is(err, errNoMethod) {
			return &answer{status: 500}
		}
		if !errors.Is(err, errTokenNotFound) {
			break
		}
		w.gateway.log.Print("conf token not found: flush all tokens and try again")
		w.gateway.tokens.flush()
		w.flush()
	}
	w.gateway.log.Printf("ext-plugin: %v", err)
	w.gateway.lost(err)
	if block.AllowDegradation {
		w.gateway.log.Print("Plugin Runner is wrong, allow degradation")
		return nil
	}
	return &answer{status: 503}
}

// call is one HTTPReqCall. As in APISIX its connection is open before the
// token is asked for on another.
func (w *worker) call(req *request, block *extPlugin, key string) (a6.Answer, error) {
	conn, err := w.connect()
	if err != nil {
		return a6.Answer{}, err
	}
	verdict, err := w.exchange(conn, req, block, key)
	if err != nil {
		_ = conn.Close()
		return a6.Answer{}, err
	}
	w.keep(conn)
	return verdict, nil
}

func (w *worker) exchange(conn *runnerConn, req *request, block *extPlugin, key string) (a6.Answer, error) {
	token, err := w.token(block, key)
	if err != nil {
		return a6.Answer{}, err
	}
	path := req.shownPath() // before the arguments, which may come with it
	shown := a6.Request{
		ID:        w.nextID(),
		SrcIP:     req.remote.Addr().Unmap().AsSlice(),
		Method:    req.method,
		Path:      path,
		Args:      parseArgs(req.query).entries(),
		Headers:   req.showHeaders(),
		ConfToken: token,
	}
	payload, err := a6.EncodeRequest(shown)
	if err != nil {
		return a6.Answer{}, errNoMethod
	}
	kind, sent := a6.HTTPReqCall, payload
	for {
		if err := conn.send(kind, sent); err != nil {
			return a6.Answer{}, fmt.Errorf("failed to send: %w", err)
		}
		got, payload, err := conn.receive()
		switch {
		case err != nil:
			return a6.Answer{}, err
		case got == a6.HTTPReqCall:
			verdict, err := a6.DecodeAnswer(payload)
			if err == nil && w.gateway.options.Trace != nil {
				w.gateway.options.Trace(Exchange{Client: req.remote, Shown: shown, Answer: verdict})
			}
			return verdict, err
		case got != a6.ExtraInfo:
			return a6.Answer{}, fmt.Errorf("unexpected frame of type %d", got)
		}
		question, err := a6.DecodeExtraInfoReq(payload)
		if err != nil {
			return a6.Answer{}, err
		}
		kind, sent = a6.ExtraInfo, a6.EncodeExtraInfoResp(w.result(req, question))
	}
}

// token is the worker's own, the shared one, or a new one, in that order.
func (w *worker) token(block *extPlugin, key string) (uint32, error) {
	w.mu.Lock()
	cached, there := w.tokens[key]
	w.mu.Unlock()
	if there && time.Now().Before(cached.until) {
		return cached.token, nil
	}
	conn, err := w.connect()
	if err != nil {
		return 0, err
	}
	token, err := w.prepare(conn, block, key)
	if err != nil {
		_ = conn.Close()
		return 0, err
	}
	w.keep(conn)
	w.mu.Lock()
	w.tokens[key] = cachedToken{token, time.Now().Add(workerTTL)}
	w.mu.Unlock()
	return token, nil
}

func (w *worker) prepare(conn *runnerConn, block *extPlugin, key string) (uint32, error) {
	shared := w.gateway.tokens
	if token, there := shared.get(key); there {
		return token, nil
	}
	select {
	case shared.lock <- struct{}{}:
	case <-time.After(lockTimeout):
		return 0, errors.New("failed to acquire the lock: timeout")
	}
	defer func() { <-shared.lock }()
	if token, there := shared.get(key); there {
		return token, nil
	}
	conf := make([]a6.Entry, len(block.Conf))
	for i, entry := range block.Conf {
		conf[i] = a6.Entry{Name: *entry.Name, Value: *entry.Value, HasValue: true}
	}
	if err := conn.send(a6.PrepareConf, a6.EncodePrepareConf(key, conf)); err != nil {
		return 0, fmt.Errorf("failed to send RPC_PREPARE_CONF: %w", err)
	}
	got, payload, err := conn.receive()
	if err != nil {
		return 0, err
	}
	if got != a6.PrepareConf {
		return 0, fmt.Errorf("failed to receive RPC_PREPARE_CONF: unexpected type %d", got)
	}
	token, err := a6.DecodePrepareConfResp(payload)
	if err == nil {
		shared.put(key, token)
	}
	return token, err
}

// result answers a runner's question; nil is "no result".
func (w *worker) result(req *request, q a6.Question) []byte {
	switch {
	case q.Body:
		body, err := req.readBody()
		if err != nil {
			w.gateway.log.Printf("failed to read request body: %v", err)
			return nil
		}
		return body
	case q.RespBody:
		return nil
	}
	if value, there := req.variable(q.Var); there {
		return []byte(value)
	}
	return nil
}

// readBody reads the body once and keeps it; nil where there is none.
func (req *request) readBody() ([]byte, error) {
	if req.body == nil || req.bodyRead {
		return req.buffered, nil
	}
	body, err := io.ReadAll(req.body)
	if err != nil {
		req.close = true
		return nil, err
	}
	req.buffered, req.bodyRead = body, true
	if len(body) == 0 {
		req.buffered = nil
	}
	return req.buffered, nil
}
