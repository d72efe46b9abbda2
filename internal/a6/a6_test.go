package a6_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

func TestFramesSurviveAnyCut(t *testing.T) {
	for _, size := range []int{0, 1, 70_000, a6.MaxPayload} {
		payload := bytes.Repeat([]byte{7}, size)
		var wire bytes.Buffer
		if err := a6.WriteFrame(&wire, a6.HTTPReqCall, payload); err != nil {
			t.Fatal(err)
		}
		kind, got, err := a6.ReadFrame(bufio.NewReader(iotest.HalfReader(&wire)), nil)
		if err != nil || kind != a6.HTTPReqCall || !bytes.Equal(got, payload) {
			t.Errorf("size %d: type %d, %d bytes, %v", size, kind, len(got), err)
		}
	}
}

func TestFrameErrors(t *testing.T) {
	if err := a6.WriteFrame(io.Discard, a6.Error, make([]byte, a6.MaxPayload+1)); !errors.Is(err, a6.ErrTooLong) {
		t.Errorf("too long a payload: %v", err)
	}
	for _, tt := range []struct {
		name, wire string
		want       error
	}{
		{"a clean end is EOF", "", io.EOF},
		{"an end in the header is unexpected", "\x01\x00", io.ErrUnexpectedEOF},
		{"an end before the payload is unexpected", "\x01\xff\xff\xff", io.ErrUnexpectedEOF},
		{"an end in the payload is unexpected", "\x01\x00\x00\x02a", io.ErrUnexpectedEOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, err := a6.ReadFrame(bufio.NewReader(bytes.NewReader([]byte(tt.wire))), nil); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

var (
	entries = []a6.Entry{{Name: "a", Value: "1", HasValue: true}, {Name: "a", HasValue: true}, {Name: "b"}}
	request = a6.Request{
		ID: 9, SrcIP: []byte{127, 0, 0, 1}, Method: "PATCH", Path: "/x",
		Args: entries, Headers: entries[:2], ConfToken: 1<<32 - 1,
	}
	answers = []a6.Answer{
		{ID: 1},
		{ID: 2, Stop: &a6.Stop{Status: 401, Headers: entries, Body: []byte("no")}},
		{ID: 3, Rewrite: &a6.Rewrite{Path: "/y", Headers: entries, Args: entries, RespHeaders: entries, Body: []byte("b")}},
	}
)

func TestMessagesRoundTrip(t *testing.T) {
	payload, err := a6.EncodeRequest(request)
	if err != nil {
		t.Fatal(err)
	}
	got, err := a6.DecodeRequest(payload)
	if diff := cmp.Diff(request, got); diff != "" || err != nil {
		t.Errorf("request: %v\n%s", err, diff)
	}
	for _, want := range answers {
		got, err := a6.DecodeAnswer(a6.EncodeAnswer(want))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("answer: %v\n%s", err, diff)
		}
	}
	key, conf, err := a6.DecodePrepareConf(a6.EncodePrepareConf("k", entries))
	if key != "k" || !cmp.Equal(conf, entries) || err != nil {
		t.Errorf("prepare: %q %v %v", key, conf, err)
	}
	if token, err := a6.DecodePrepareConfResp(a6.EncodePrepareConfResp(77)); token != 77 || err != nil {
		t.Errorf("token: %d %v", token, err)
	}
	if code, err := a6.DecodeError(a6.EncodeError(a6.ConfTokenNotFound)); code != a6.ConfTokenNotFound || err != nil {
		t.Errorf("code: %v %v", code, err)
	}
	for _, want := range []a6.Question{{Var: "scheme"}, {Body: true}, {RespBody: true}} {
		if got, err := a6.DecodeExtraInfoReq(a6.EncodeExtraInfoReq(want)); got != want || err != nil {
			t.Errorf("question: %v %v", got, err)
		}
	}
	for _, want := range [][]byte{nil, {}, []byte("v")} {
		if got, err := a6.DecodeExtraInfoResp(a6.EncodeExtraInfoResp(want)); !cmp.Equal(got, want) || err != nil {
			t.Errorf("result: %v %v, want %v", got, err, want)
		}
	}
}

func TestMethodWithoutACodeIsAnError(t *testing.T) {
	if _, err := a6.EncodeRequest(a6.Request{Method: "PURGE"}); err == nil {
		t.Error("PURGE was encoded")
	}
}

func decodeAll(payload []byte) (errs []error) {
	_, err1 := a6.DecodeRequest(payload)
	_, err2 := a6.DecodeAnswer(payload)
	_, _, err3 := a6.DecodePrepareConf(payload)
	_, err4 := a6.DecodePrepareConfResp(payload)
	_, err5 := a6.DecodeError(payload)
	_, err6 := a6.DecodeExtraInfoReq(payload)
	_, err7 := a6.DecodeExtraInfoResp(payload)
	return []error{err1, err2, err3, err4, err5, err6, err7}
}

func TestEveryFlippedByteIsReadOrRefused(t *testing.T) {
	payload, _ := a6.EncodeRequest(request)
	for _, good := range [][]byte{payload, a6.EncodeAnswer(answers[1]), a6.EncodeAnswer(answers[2])} {
		for i := range good {
			for _, b := range []byte{0, 1, 4, 0x7f, 0x80, 0xff} {
				bad := bytes.Clone(good)
				bad[i] = b
				decodeAll(bad)
			}
			decodeAll(good[:i])
		}
	}
}

func FuzzDecode(f *testing.F) {
	payload, _ := a6.EncodeRequest(request)
	f.Add(payload)
	for _, a := range answers {
		f.Add(a6.EncodeAnswer(a))
	}
	f.Add(a6.EncodePrepareConf("k", entries))
	f.Add(a6.EncodeExtraInfoReq(a6.Question{Var: "scheme"}))
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, err := range decodeAll(payload) {
			if err != nil && !errors.Is(err, a6.ErrMalformed) {
				t.Errorf("an error of another kind: %v", err)
			}
		}
	})
}

func FuzzReadFrame(f *testing.F) {
	for _, seed := range []string{"", "\x01", "\x02\x00\x00\x00", "\x02\x00\x00\x01a", "\x00\xff\xff\xffa"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		kind, payload, err := a6.ReadFrame(bufio.NewReader(bytes.NewReader(wire)), nil)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := a6.WriteFrame(&again, kind, payload); err != nil || !bytes.HasPrefix(wire, again.Bytes()) {
			t.Errorf("not what was read: %v", err)
		}
	})
}
