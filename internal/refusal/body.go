package refusal

import (
	"encoding/json"
	"net/http"
)

func oauthBody(code, description string) []byte {
	return marshal(struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{code, description})
}

func problemBody(status int, code, description string) []byte {
	return marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
		Error  string `json:"error"`
	}{"about:blank", http.StatusText(status), status, description, code})
}

// errorCode is the code of the body. A missing token has none in the
// challenge; the body still has to say something a program can switch on.
func (r Refusal) errorCode(row *row) string {
	if code := r.code(row); code != "" {
		return code
	}
	return row.reason
}

func marshal(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil { // strings and numbers only: it cannot
		return nil
	}
	return body
}
