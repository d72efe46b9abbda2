package refusal_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

// Every field of a refusal but Cause may change its answer, and must not be lost
// to an answer that was kept for the kind alone.
func TestAnAnswerThatIsKeptIsTheOneThatIsWritten(t *testing.T) {
	filled := map[string]any{
		"Description": "another", "Scope": "read:orders", "Status": 401, "ACRValues": "gold", "MaxAge": time.Minute,
		"BadProof": true, "DPoP": true, "RetryAfter": 90 * time.Second, "Cause": "for the log",
	}
	for _, style := range []refusal.Style{
		{Realm: "api"},
		{Realm: "other", Format: refusal.Problem, ResourceMetadata: "https://api.example/.well-known/oauth-protected-resource"},
		{Realm: "api", Format: refusal.None, DPoP: true},
		{Realm: "api", DPoP: true, NoBearer: true},
	} {
		answers := style.Answers()
		for _, kind := range append(refusal.Kinds(), 255) {
			refusals := []refusal.Refusal{{Kind: kind}}
			fields := reflect.TypeFor[refusal.Refusal]()
			for i := range fields.NumField() {
				if name := fields.Field(i).Name; name != "Kind" {
					r := refusal.Refusal{Kind: kind}
					reflect.ValueOf(&r).Elem().Field(i).Set(reflect.ValueOf(filled[name]))
					refusals = append(refusals, r)
				}
			}
			for round := range 2 {
				for _, r := range refusals {
					if diff := cmp.Diff(r.Answer(style), answers.Of(r)); diff != "" {
						t.Errorf("%+v, round %d (-written +kept):\n%s", r, round, diff)
					}
				}
			}
		}
	}
}

func TestAHeaderAppendedToAKeptAnswerIsNobodyElses(t *testing.T) {
	answers := refusal.Style{Realm: "api"}.Answers()
	missing := refusal.Refusal{Kind: refusal.MissingToken}
	want := fmt.Sprint(answers.Of(missing).Headers)
	for _, name := range []string{"X-One", "X-Two"} {
		mine := append(answers.Of(missing).Headers, refusal.Header{Name: name})
		others := append(answers.Of(missing).Headers, refusal.Header{Name: "X-Other"})
		if last := mine[len(mine)-1].Name; last != name {
			t.Errorf("%s became %s", name, last)
		}
		if got := fmt.Sprint(others[:len(others)-1]); got != want {
			t.Errorf("%s, and not %s", got, want)
		}
	}
}

func TestAnAnswerThatIsKeptAllocatesNothing(t *testing.T) {
	answers := refusal.Style{Realm: "api"}.Answers()
	for _, kind := range refusal.Kinds() {
		r := refusal.Refusal{Kind: kind, Cause: "for the log"}
		answers.Of(r)
		if n := testing.AllocsPerRun(100, func() { answers.Of(r) }); n > 0 {
			t.Errorf("%s: %v allocations", kind.Reason(), n)
		}
	}
}
