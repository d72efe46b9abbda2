package login

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// asked is what a login asked the issuer for and its ID token must show.
type asked struct {
	ACRValues    string `json:"acr,omitempty"` // space-separated; one of them
	MaxAge       *int64 `json:"age,omitempty"` // in seconds
	Organization string `json:"org,omitempty"` // an org_id or org_name
	StepUp       string `json:"up,omitempty"`  // [StepUp.Name]; "" is no step-up
}

// read notes what the parameters of an authorization request ask for.
func (a *asked) read(params map[string]string) error {
	a.ACRValues, a.Organization = params["acr_values"], params["organization"]
	if text, there := params["max_age"]; there {
		seconds, err := strconv.ParseInt(text, 10, 32)
		if err != nil || seconds < 0 {
			return errors.New("max_age is not a number of seconds")
		}
		a.MaxAge = &seconds
	}
	return nil
}

// unmet says what was asked for and an ID token does not show; "" is nothing.
func (a asked) unmet(id Identity, now time.Time, leeway time.Duration) string {
	if a.MaxAge != nil {
		oldest := now.Add(-time.Duration(*a.MaxAge)*time.Second - leeway)
		if id.AuthTime.Before(oldest) { // as zero is, where there is none
			return "the authentication is older than the max_age that was asked for"
		}
	}
	if values := strings.Fields(a.ACRValues); len(values) > 0 && !slices.Contains(values, id.ACR) {
		return "the acr is none of those that were asked for"
	}
	switch {
	case a.Organization == "":
	case strings.HasPrefix(a.Organization, "org_") && id.OrgID != a.Organization,
		!strings.HasPrefix(a.Organization, "org_") && !strings.EqualFold(id.OrgName, a.Organization):
		return "the organization is not the one that was asked for"
	}
	return ""
}
