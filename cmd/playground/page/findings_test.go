package page_test

import (
	"encoding/json"
	"testing"
	"unicode/utf16"
)

// checked is what check answers.
type checked struct {
	OK       bool
	Findings []struct {
		Severity, Path, Message string
		From, To                *int
	}
}

func TestAFindingPointsAtItsPlaceAsABrowserCounts(t *testing.T) {
	s := serve(t, startBench(t))
	for name, tt := range map[string]struct {
		config, severity, path, at string // at is what the offsets enclose; "" is no offsets
	}{
		"a wrong type":                 {"{\n  \"issuer\": \"http://127.0.0.1:9000/\",\n  \"audience\": \"a\",\n  \"require_mfa\": \"yes\"\n}", "error", "$.require_mfa", `"require_mfa"`},
		"an unknown key":               {`{"issuer":"http://127.0.0.1:9000/","audience":"a","emial":1}`, "error", "$.emial", `"emial"`},
		"an element of a list":         {`{"issuer":"http://127.0.0.1:9000/","audience":"a","algorithms":["RS256", "none"]}`, "error", "$.algorithms[1]", `"none"`},
		"behind letters of many bytes": {"{\"name\":\"é😀\",\"issuer\":\"http://127.0.0.1:9000/\",\"audience\":\"a\",\"leeway\":\"1h\"}", "error", "$.leeway", `"leeway"`},
		"a key that is missing":        {`{"issuer":"http://127.0.0.1:9000/"}`, "error", "$.audience", `{`},
		"a warning":                    {`{"issuer":"http://127.0.0.1:9000/","audience":["*"]}`, "warning", "$.audience", `"audience"`},
		"no JSON":                      {`{"issuer":"http://127.0.0.1:9000/" "audience":"a"}`, "error", "$", `"audience"`},
		"a text that is cut":           {`{"issuer":"http`, "error", "$", ""},
		"nothing":                      {``, "error", "$", ""},
		"a whole route":                {`{"uri":"/*","plugins":{"ext-plugin-pre-req":{"conf":[{"name":"auth0-jwt","value":"{\"issuer\":\"http://127.0.0.1:9000/\",\"audience\":\"a\"}"}]}}}`, "error", "$", ""},
	} {
		t.Run(name, func(t *testing.T) {
			body, _ := json.Marshal(map[string]string{"config": tt.config})
			_, text := ask(t, "POST", s.URL()+"api/check", string(body), [2]string{"X-Playground-Token", s.Token()})
			var got checked
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatal(err)
			}
			if got.OK != (tt.severity == "warning") {
				t.Errorf("ok is %v", got.OK)
			}
			units := utf16.Encode([]rune(tt.config))
			for _, f := range got.Findings {
				if f.Severity != tt.severity || f.Path != tt.path || f.Message == "" {
					continue
				}
				at := ""
				if f.From != nil && f.To != nil {
					at = string(utf16.Decode(units[*f.From:*f.To]))
				}
				if tt.at != "" && at != tt.at {
					t.Errorf("%s: it points at %q", f.Message, at)
				}
				return
			}
			t.Errorf("no %s at %s: %s", tt.severity, tt.path, text)
		})
	}
}

func TestEveryPrefixOfAConfigurationIsChecked(t *testing.T) {
	s := serve(t, startBench(t))
	const whole = "{\"issuer\":\"http://127.0.0.1:9000/\",\n\"claims\":{\"é😀\":[1,true,null,\"\\\"\"]},\"audience\":\"a\"}"
	for n := range whole {
		body, _ := json.Marshal(map[string]string{"config": whole[:n]})
		resp, text := ask(t, "POST", s.URL()+"api/check", string(body), [2]string{"X-Playground-Token", s.Token()})
		var got checked
		if err := json.Unmarshal([]byte(text), &got); resp.StatusCode != 200 || err != nil || got.OK || len(got.Findings) == 0 {
			t.Fatalf("%q: %d %s", whole[:n], resp.StatusCode, text)
		}
		length := len(utf16.Encode([]rune(whole[:n])))
		for _, f := range got.Findings {
			if f.From != nil && (*f.From < 0 || *f.From > *f.To || *f.To > length) {
				t.Errorf("%q: from %d to %d of %d", whole[:n], *f.From, *f.To, length)
			}
		}
	}
}
