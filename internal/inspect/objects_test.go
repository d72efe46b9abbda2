package inspect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inspect"
)

// TestObjectsAreReadAsTheyAreWritten: order, numbers and all text stay, in
// whatever form the documents are.
func TestObjectsAreReadAsTheyAreWritten(t *testing.T) {
	for _, tt := range []struct{ name, document, want string }{
		{"a route", `{"uri":"/<&>","id":7,"b":[1.0,1e3,null,true,false,{}],"a":"\u00e4\n"}`, "$ routes/7 " + `{"uri":"/<&>","id":7,"b":[1.0,1e3,null,true,false,{}],"a":"ä\n"}`},
		{
			"what the Admin API gives", `{"list":[{"key":"/apisix/services/s","value":{"plugins":{"x":{}}}},{"key":"/apisix/routes/1","value":{"uri":"/"}}]}`,
			`$.list[0].value services/s {"plugins":{"x":{}}}` + "\n" + `$.list[1].value routes/1 {"uri":"/"}`,
		},
		{"one that it gives", `{"key":"/apisix/consumers/jack","value":{"username":"jack"}}`, `$.value consumers/jack {"username":"jack"}`},
		{
			"an apisix.yaml", "routes:\n- id: 1\n  plugins:\n    openid-connect: &c {a: 0x10, b: 1_000, c: 'x', d: ~, e: yes}\n- id: 2\n  plugins: {openid-connect: *c}\nconsumers:\n- username: jack\n",
			`$.routes[0] routes/1 {"id":1,"plugins":{"openid-connect":{"a":"0x10","b":"1_000","c":"x","d":null,"e":"yes"}}}` + "\n" +
				`$.routes[1] routes/2 {"id":2,"plugins":{"openid-connect":{"a":"0x10","b":"1_000","c":"x","d":null,"e":"yes"}}}` + "\n" +
				`$.consumers[0] consumers/jack {"username":"jack"}`,
		},
		{"what is neither", `"text"`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			objects, broken := inspect.Objects([]inspect.Input{{Name: "in", Data: []byte(tt.document)}})
			var got []string
			for _, o := range objects {
				got = append(got, fmt.Sprintf("%s %s/%s %s", o.Path, o.Kind, o.ID, o.JSON))
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, "\n")); diff != "" || !broken.OK() {
				t.Errorf("%v (-want +got):\n%s", broken.Findings, diff)
			}
		})
	}
}

func TestObjectsOfWhatCannotBeReadAreNone(t *testing.T) {
	for _, document := range []string{"", "{", `{"uri":"/","uri":"/a"}`, "a: [", strings.Repeat(" ", inspect.MaxInput+1)} {
		_, broken := inspect.Objects([]inspect.Input{{Name: "in", Data: []byte(document)}})
		if broken.OK() {
			t.Errorf("%.20q is read", document)
		}
	}
}
