package refusal

import (
	"cmp"
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

// Page is what a page in a browser says of a refusal.
type Page struct {
	Status      int
	Title       string // of the status, such as "Forbidden"
	Description string // as the body of [Refusal.Answer] has it; not escaped
}

// Page is r for a person to read.
func (r Refusal) Page() Page {
	row := r.Kind.row()
	status := r.status(row)
	return Page{Status: status, Title: http.StatusText(status), Description: cmp.Or(r.Description, row.description)}
}
