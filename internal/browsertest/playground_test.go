package browsertest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const web = "../../cmd/playground/page/web"

// playground is the real bin/playground with its page, which the tests of the
// page share. The first of them starts it.
type playground struct {
	process *exec.Cmd
	ended   chan struct{} // closed when it ended
	page    string        // the page's URL
}

// newVisitor opens the page in a browser profile of its own, and waits until the
// first request was answered.
func newVisitor(t *testing.T) *visitor {
	t.Helper()
	if _, err := os.Stat(filepath.Join(web, "dist/index.html")); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("the playground's page was not built: make page")
		}
		t.Skip("the playground's page was not built: it needs Node.js and make page")
	}
	if site.playground == nil {
		if err := site.startPlayground(); err != nil {
			t.Fatal(err)
		}
	}
	v := &visitor{newPerson(t)}
	v.open(site.playground.page)
	v.waitFor("an answer", `document.querySelector(".verdict") !== null`)
	return v
}

var pageLine = regexp.MustCompile(`page: +(http://127\.0\.0\.1:\d+/)`)

// startPlayground starts bin/playground, with the runner that the other tests
// have built, and reads from its output where the page is.
func (s *theSite) startPlayground() error {
	path := filepath.Join(s.dir, "playground")
	if out, err := exec.Command("go", "build", "-o", path, "../../cmd/playground").CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	p := &playground{process: exec.Command(path, "--runner", filepath.Join(s.dir, "go-runner")), ended: make(chan struct{})}
	p.process.Stderr = os.Stderr
	out, err := p.process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.process.Start(); err != nil {
		return err
	}
	s.playground = p
	found := make(chan string, 1)
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if at := pageLine.FindStringSubmatch(lines.Text()); at != nil {
				found <- at[1]
				break
			}
		}
		_, _ = io.Copy(io.Discard, out) // what it says later is for people
		_ = p.process.Wait()
	}()
	select {
	case p.page = <-found:
		return nil
	case <-p.ended:
		return errors.New("the playground ended before it said where its page is")
	case <-time.After(hang):
		return errors.New("the playground does not say where its page is")
	}
}

func (p *playground) close() error {
	_ = p.process.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-p.ended:
		return nil
	case <-time.After(hang):
		_ = p.process.Process.Kill()
		return errors.New("the playground did not end")
	}
}

// visitor is somebody at the page of the playground.
type visitor struct{ *tab }

// waitFor waits until an expression is true in the page.
func (v *visitor) waitFor(what, expression string) {
	v.t.Helper()
	err := until(func() error {
		is, err := chromedp.Run(v.ctx, chromedp.Evaluate[bool](expression))
		if err == nil && !is {
			err = fmt.Errorf("want %s, the tab shows %+v", what, v.outcome())
		}
		return err
	})
	if err != nil {
		v.t.Fatal(err)
	}
}

// outcome is what the right side of the page says.
type outcome struct {
	Status     string   `json:"status"`
	Reason     string   `json:"reason"`
	Title      string   `json:"title"`
	AnsweredBy string   `json:"answeredBy"`
	Refused    []string `json:"refused"`  // names of checks
	Identity   []string `json:"identity"` // header lines that the upstream was told
	Stripped   []string `json:"stripped"` // values that are struck through
	Challenges []string `json:"challenges"`
	Findings   []string `json:"findings"`
	Said       string   `json:"said"` // what went wrong with the page itself
	Tried      int      `json:"tried"`
}

const lookAtOutcome = `(() => {
  const verdict = document.querySelector(".verdict"), all = (s, of) => [...document.querySelectorAll(s)].map(of);
  const text = e => e.innerText.trim().replace(/\s+/g, " ");
  return {
    status: verdict?.dataset.status ?? "", reason: verdict?.dataset.reason ?? "", tried: Number(verdict?.dataset.tried ?? 0),
    title: document.querySelector(".verdict-title")?.firstChild?.textContent ?? "",
    answeredBy: document.querySelector(".hops")?.dataset.answeredBy ?? "",
    refused: all('.check[data-outcome="refused"]', e => e.dataset.check),
    identity: all('.upstream tr[data-mark="identity"]', e => e.dataset.header + ": " + text(e.lastElementChild)),
    stripped: all(".upstream s", text), challenges: all(".challenge", text), findings: all(".findings li", text),
    said: all(".outcome > .said", text).join(" "),
  };
})()`

func (v *visitor) outcome() outcome {
	o, err := chromedp.Run(v.ctx, chromedp.Evaluate[outcome](lookAtOutcome))
	if err != nil {
		o.Said = err.Error() // a page that just went
	}
	return o
}

// after does something and waits for the answer to the request that the page then
// sends, until it has this status and reason.
func (v *visitor) after(doing func(), status, reason string) outcome {
	v.t.Helper()
	before := v.outcome().Tried
	doing()
	var o outcome
	err := until(func() error {
		if o = v.outcome(); o.Tried > before && o.Status == status && o.Reason == reason {
			return nil
		}
		return fmt.Errorf("want %s %s after %d answers, the page shows %+v", status, reason, before, o)
	})
	if err != nil {
		v.t.Fatal(err)
	}
	return o
}

func (v *visitor) pick(example string) { v.t.Helper(); v.click(`[data-example="` + example + `"]`) }

// choose clicks one of the radio buttons.
func (v *visitor) choose(option string) {
	v.t.Helper()
	v.click(`[data-option="` + option + `"] input`)
}

// write replaces what an editor holds.
func (v *visitor) write(editor, text string) {
	v.t.Helper()
	v.click(editor + " .cm-content")
	v.do(
		chromedp.KeyEvent("a", chromedp.KeyModifiers(kb.ModifierCtrl)),
		chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: text})
			return err
		}),
	)
}

// press presses keys, of package kb or printable ones.
func (v *visitor) press(keys string, options ...chromedp.KeyOption) {
	v.t.Helper()
	v.do(chromedp.KeyEvent(keys, options...))
}
