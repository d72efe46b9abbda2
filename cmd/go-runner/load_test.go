package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

// number is a whole number of the environment, for longer runs by hand.
func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// frameOf is a request with a token, or without one, as APISIX sends it.
func frameOf(t testing.TB, route uint32, token string) []byte {
	t.Helper()
	headers := []a6.Entry{
		{Name: "host", Value: "api.example.com", HasValue: true},
		{Name: "accept", Value: "*/*", HasValue: true},
		{Name: "user-agent", Value: "Mozilla/5.0 (X11; Linux x86_64)", HasValue: true},
		{Name: "accept-encoding", Value: "gzip, deflate, br", HasValue: true},
	}
	if token != "" {
		headers = append(headers, bearer(token))
	}
	payload, err := a6.EncodeRequest(a6.Request{ID: 1, ConfToken: route, SrcIP: []byte{192, 0, 2, 7}, Method: "GET", Path: "/orders", Headers: headers})
	if err != nil {
		t.Fatal(err)
	}
	frame, err := a6.AppendFrame(nil, a6.HTTPReqCall, payload)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// client is a connection of one of APISIX's workers.
type client struct {
	net.Conn
	in     *bufio.Reader
	answer []byte
}

func dial(t testing.TB, socket string) *client {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &client{Conn: c, in: bufio.NewReader(c)}
}

// prepare gives the token of a configuration of the plugin.
func (c *client) prepare(t testing.TB, key, conf string) uint32 {
	t.Helper()
	err := a6.WriteFrame(c, a6.PrepareConf, a6.EncodePrepareConf(key, []a6.Entry{{Name: "auth0-jwt", Value: conf, HasValue: true}}))
	if err == nil {
		_, c.answer, err = a6.ReadFrame(c.in, c.answer)
	}
	if err != nil {
		t.Fatal(err)
	}
	token, err := a6.DecodePrepareConfResp(c.answer)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// send reports whether the request of a frame is forwarded.
func (c *client) send(frame []byte) (forwarded bool, err error) {
	if _, err := c.Write(frame); err != nil {
		return false, err
	}
	if _, c.answer, err = a6.ReadFrame(c.in, c.answer); err != nil {
		return false, err
	}
	answer, err := a6.DecodeAnswer(c.answer)
	if err != nil {
		return false, err
	}
	return answer.Stop == nil, nil
}

// load is requests at a pace.
type load struct {
	frames    [][]byte // in turn
	clients   int      // connections
	perSecond int      // at most
	lasting   time.Duration
}

// loaded is what came of it.
type loaded struct {
	forwarded, refused int
	took               time.Duration
	err                error // what ended it
}

func (l loaded) sum() int { return l.forwarded + l.refused }

// start begins to send.
func (l load) start(t testing.TB, socket string) (result func() loaded) {
	t.Helper()
	var running sync.WaitGroup
	begin, each := time.Now(), make([]loaded, l.clients)
	for i := range l.clients {
		c := dial(t, socket)
		running.Go(func() { each[i] = l.sendBy(c, i) })
	}
	return func() loaded {
		running.Wait()
		all := loaded{took: time.Since(begin)}
		for _, one := range each {
			all.forwarded += one.forwarded
			all.refused += one.refused
			if one.err != nil {
				all.err = fmt.Errorf("a connection broke: %w", one.err)
			}
		}
		return all
	}
}

// sendBy sends what is the nth client's, and closes its connection.
func (l load) sendBy(c *client, nth int) (sent loaded) {
	defer c.Close()
	begin, pace := time.Now(), time.NewTicker(time.Second*time.Duration(l.clients)/time.Duration(l.perSecond))
	defer pace.Stop()
	for i := nth; time.Since(begin) < l.lasting && sent.err == nil; i += l.clients {
		<-pace.C
		var forwarded bool
		switch forwarded, sent.err = c.send(l.frames[i%len(l.frames)]); {
		case sent.err != nil:
		case forwarded:
			sent.forwarded++
		default:
			sent.refused++
		}
	}
	return sent
}
