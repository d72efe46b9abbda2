package inspect

import (
	"fmt"
	"io"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// outcomeTexts are how the walk says how a check ended; a refusal says more.
var outcomeTexts = map[string]string{
	"not_reached": "not reached", "not_asked": "not asked", "passed": "ok", "let_pass": "no token, and the route lets that pass",
}

// WriteText writes the walk, then the edits or the answer.
func (x *Explanation) WriteText(w io.Writer) error {
	out := &printer{w: w}
	for _, note := range x.Notes {
		out.printf("note: %s\n", note)
	}
	if len(x.Notes) > 0 {
		out.printf("\n")
	}
	for n, said := range x.Session {
		if n == 0 {
			out.printf("the session\n")
		}
		out.printf("         %s\n", said)
	}
	for _, c := range x.Checks {
		outcome := outcomeTexts[c.Outcome]
		if c.Outcome == "refused" {
			outcome = "FAILED " + c.Reason
		}
		out.printf("%-4d %-40s %s\n", c.Number, c.Name, outcome)
		for _, detail := range c.Details {
			out.printf("         %s\n", detail)
		}
		if c.Found != "" || c.Wanted != "" {
			out.printf("         found:  %s\n         wanted: %s\n", c.Found, c.Wanted)
		}
	}
	for _, report := range x.Reports {
		out.printf("     %s\n", report)
	}
	for n, said := range x.Login {
		if n == 0 {
			out.printf("the login\n")
		}
		out.printf("         %s\n", said)
	}
	if x.Own {
		return out.err
	}
	if x.SentToLogin {
		out.printf("\nthe client gets\nstatus 302, to the login page\n")
		return out.err
	}
	if x.Forward {
		out.printf("\nforwarded, with these edits\n")
		for _, edit := range x.Edits {
			out.printf("%s\n", edit)
		}
		return out.err
	}
	out.printf("\nthe client gets\nstatus %d\n", x.Answer.Status)
	for _, h := range x.Answer.Headers {
		out.printf("%s: %s\n", h.Name, h.Value)
	}
	out.printf("\n%s\n", x.Answer.Body)
	return out.err
}

// jsonAnswer is an answer as [Explanation.WriteJSON] writes it.
type jsonAnswer struct {
	Status  int         `json:"status"`
	Headers [][2]string `json:"headers"`
	Body    string      `json:"body"`
}

// WriteJSON writes one object.
func (x *Explanation) WriteJSON(w io.Writer) error {
	return writeJSON(w, struct {
		Forward bool             `json:"forward"`
		Reason  string           `json:"reason,omitempty"`
		Notes   []string         `json:"notes,omitempty"`
		Session []string         `json:"session,omitempty"`
		Login   []string         `json:"login,omitempty"`
		Checks  []ExplainedCheck `json:"checks"`
		Reports []string         `json:"reports,omitempty"`
		Edits   []string         `json:"edits,omitempty"`
		Answer  *jsonAnswer      `json:"answer,omitempty"`
	}{x.Forward, x.Reason, x.Notes, x.Session, x.Login, append([]ExplainedCheck{}, x.Checks...), x.Reports, x.Edits, answerOf(x)})
}

func answerOf(x *Explanation) *jsonAnswer {
	if x.Forward || x.Own || x.SentToLogin {
		return nil
	}
	return &jsonAnswer{x.Answer.Status, headerPairs(x.Answer), string(x.Answer.Body)}
}

func headerPairs(a refusal.Answer) [][2]string {
	pairs := [][2]string{}
	for _, h := range a.Headers {
		pairs = append(pairs, [2]string{h.Name, h.Value})
	}
	return pairs
}

// WriteGitHub writes the check that refused as a workflow command about the
// file of the configuration, or nothing.
func (x *Explanation) WriteGitHub(w io.Writer, file string) error {
	out := &printer{w: w}
	for _, c := range x.Checks {
		if c.Outcome != "refused" {
			continue
		}
		said := fmt.Sprintf("check %d, %s: %s", c.Number, c.Name, c.Reason)
		for _, detail := range c.Details {
			said += "\n" + detail
		}
		out.printf("%s\n", annotation("error", file, 1, 1, said))
	}
	return out.err
}
