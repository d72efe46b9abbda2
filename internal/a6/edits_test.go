package a6_test

import (
	"strings"
	"testing"

	"github.com/api7/ext-plugin-proto/go/A6"
	wire "github.com/api7/ext-plugin-proto/go/A6/HTTPReqCall"
	flatbuffers "github.com/google/flatbuffers/go"
	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

// readEdits reads an answer with the protocol's own generated code.
func readEdits(t *testing.T, payload []byte) (id uint32, entries []a6.Entry) {
	t.Helper()
	r := wire.GetRootAsResp(payload, 0)
	if r.ActionType() != wire.ActionRewrite {
		t.Fatalf("action %v", r.ActionType())
	}
	var action flatbuffers.Table
	if !r.Action(&action) {
		t.Fatal("no action")
	}
	var rewrite wire.Rewrite
	rewrite.Init(action.Bytes, action.Pos)
	if len(rewrite.Path()) != 0 || rewrite.ArgsLength() != 0 || rewrite.RespHeadersLength() != 0 || rewrite.BodyLength() != 0 {
		t.Error("more than headers")
	}
	for i := range rewrite.HeadersLength() {
		var e A6.TextEntry
		if !rewrite.Headers(&e, i) {
			t.Fatalf("no header %d", i)
		}
		if e.Table().Pos%4 != 0 {
			t.Errorf("header %d is not aligned", i)
		}
		value := e.Value()
		entries = append(entries, a6.Entry{Name: string(e.Name()), Value: string(value), HasValue: value != nil})
	}
	return r.Id(), entries
}

func TestHeaderEditsReadAsTheyWereWritten(t *testing.T) {
	encoder := a6.NewAnswerEncoder()
	for _, entries := range [][]a6.Entry{
		{{Name: "a", Value: "b", HasValue: true}},
		{{Name: "x-user-id"}},
		{{Name: "x-empty", HasValue: true}},
		{{Name: "x-user-id"}, {Name: "X-User-Id", Value: "auth0|ann", HasValue: true}, {Name: "x"}, {Name: "X-Long", Value: strings.Repeat("v", 1001), HasValue: true}},
		{{Name: "abcd", Value: "abc", HasValue: true}, {Name: "abc", Value: "abcd", HasValue: true}, {Name: "ab", Value: "abcde", HasValue: true}},
	} {
		id, got := readEdits(t, encoder.Encode(a6.Answer{ID: 77, Rewrite: &a6.Rewrite{Headers: entries}}))
		if id != 77 {
			t.Errorf("id %d", id)
		}
		if diff := cmp.Diff(entries, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// FuzzHeaderEdits holds that the protocol's own code and ours read what was
// written, whatever the lengths.
func FuzzHeaderEdits(f *testing.F) {
	f.Add(uint32(1), "x-user-id", "auth0|ann", "x_user_id", true)
	f.Add(uint32(1<<32-1), "", "", "", false)
	f.Fuzz(func(t *testing.T, id uint32, name, value, other string, has bool) {
		entries := []a6.Entry{{Name: name, Value: value, HasValue: true}, {Name: other}, {Name: other, Value: name, HasValue: true}}
		if !has {
			entries = entries[1:2]
		}
		payload := a6.EncodeAnswer(a6.Answer{ID: id, Rewrite: &a6.Rewrite{Headers: entries}})
		gotID, got := readEdits(t, payload)
		if diff := cmp.Diff(entries, got); diff != "" || gotID != id {
			t.Errorf("id %d of %d (-want +got):\n%s", gotID, id, diff)
		}
		a, err := a6.DecodeAnswer(payload)
		if err != nil || a.ID != id || a.Rewrite == nil {
			t.Fatal(a, err)
		}
		if diff := cmp.Diff(entries, a.Rewrite.Headers); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
