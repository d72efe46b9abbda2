package runner_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

func TestFramesOfEverySizeHoweverTheyAreCut(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		path, _ := d.start(t, only(&filter{name: "echo", run: func(x exchange) {
			x.r.Header().Set("X-Length", fmt.Sprint(len(x.r.Header().Get("X-Big"))))
		}}))
		c := dial(t, path)
		token := c.prepare("r", entry("echo", ""))
		for _, size := range []int{0, 1 << 10, 48 << 10, 208 << 10, 1 << 20, a6.MaxPayload - 1024} {
			r := get(entry("x-big", strings.Repeat("a", size)))
			r.ConfToken = token
			payload, err := a6.EncodeRequest(r)
			if err != nil {
				t.Fatal(err)
			}
			frame, err := a6.AppendFrame(nil, a6.HTTPReqCall, payload)
			if err != nil {
				t.Fatal(err)
			}
			for name, cuts := range cutsOf(len(frame)) {
				t.Run(fmt.Sprintf("%d bytes, %s", size, name), func(t *testing.T) {
					c.t = t
					from := 0
					for _, to := range append(cuts, len(frame)) {
						if _, err := c.Write(frame[from:to]); err != nil {
							t.Fatal(err)
						}
						from = to
					}
					_, answer := c.receive()
					a, err := a6.DecodeAnswer(answer)
					if err != nil || a.Rewrite == nil || a.Rewrite.Headers[0].Value != fmt.Sprint(size) {
						t.Errorf("answer %+v, %v", a.Rewrite, err)
					}
				})
			}
		}
	})
}

// cutsOf are the ways to cut a frame of that length: every byte alone where
// that is few writes, and else where something ends in the runner or on the
// way there: the frame's head, the buffers and steps that it is read by, what
// a socket takes at once, and the frame.
func cutsOf(length int) map[string][]int {
	ways := map[string][]int{"whole": nil, "4096 at a time": nil}
	if length <= 4<<10 {
		for at := 1; at < length; at++ {
			ways["byte by byte"] = append(ways["byte by byte"], at)
		}
	}
	for at := 4096; at < length; at += 4096 {
		ways["4096 at a time"] = append(ways["4096 at a time"], at)
	}
	var ends []int
	for _, end := range []int{1, 2, 3, 4, 24 << 10, 64 << 10, 4 + 64<<10, 128 << 10, 208 << 10, 256 << 10, length} {
		ends = append(ends, end-1, end, end+1)
	}
	slices.Sort(ends)
	for _, at := range slices.Compact(ends) {
		if at > 0 && at < length {
			ways["where something ends"] = append(ways["where something ends"], at)
		}
	}
	return ways
}
