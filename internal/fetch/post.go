package fetch

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// Form is a form to send.
type Form struct {
	URL           string
	Accept        string // media type
	Authorization string // the header's value; "" is none
	Values        url.Values
	Unverified    bool // certificates are not verified; works only with [Options].AllowInsecure
}

// Post sends a form (application/x-www-form-urlencoded), once: what a form does
// may not be done twice. The answer has any status but 3xx and 5xx, with its
// body: an issuer explains a refusal there. Its errors are always [*Error].
func (c *Client) Post(ctx context.Context, f Form) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, RequestAtMost)
	defer cancel()
	req, err := c.request(ctx, http.MethodPost, f.URL, strings.NewReader(f.Values.Encode()), map[string]string{
		"Accept": f.Accept, "Authorization": f.Authorization, "Content-Type": "application/x-www-form-urlencoded",
	})
	if err != nil {
		return nil, err
	}
	resp, err := c.do(req, f.Unverified, answers)
	switch {
	case err != nil:
		return nil, err
	case answers(resp.Status):
		return resp, nil
	case resp.Status/100 == 3:
		return nil, &Error{Kind: FailedRedirect, Status: resp.Status}
	}
	return nil, &Error{Kind: FailedStatus, Status: resp.Status}
}

// answers reports whether a status says something about the form.
func answers(status int) bool { return status/100 == 2 || status/100 == 4 }
