package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
)

// said is what make run writes until it waits for Ctrl-C, while it still runs.
func said(t *testing.T, args ...string) string {
	t.Helper()
	binary, err := builtRunner()
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := execute(ctx, w, append([]string{"--runner", binary}, args...)...)
		w.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	var text strings.Builder
	for lines := bufio.NewScanner(r); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		if lines.Text() == "Ctrl-C ends it." {
			return text.String()
		}
	}
	t.Fatalf("it ended: %s", text.String())
	return ""
}

var (
	pageLine = regexp.MustCompile(`^The playground's page: http://127\.0\.0\.1:\d+/$`)
	expects  = regexp.MustCompile(`^# expect: (\d{3})`)
)

func TestTheTourNamesThePageFirstAndItsCommandsDoAsTheySay(t *testing.T) {
	needsCurl(t)
	// A port that somebody has: this test, or whoever has it already.
	if l, err := net.Listen("tcp", "127.0.0.1:9080"); err == nil {
		defer l.Close()
	}
	text := said(t, "--page-addr", "127.0.0.1:0")
	lines := strings.Split(text, "\n")
	if !pageLine.MatchString(lines[0]) {
		t.Errorf("the first line is %q", lines[0])
	}
	for _, says := range []string{"port 9080 is taken, using ", "a double of APISIX 3.18", "not APISIX itself", "runner   ", "Continue as auth0|alice"} {
		if !strings.Contains(text, says) {
			t.Errorf("%q is not in:\n%s", says, text)
		}
	}
	if strings.Contains(text, "eyJ") {
		t.Errorf("it shows a token:\n%s", text)
	}
	_, rest, _ := strings.Cut(text, "# mint asks")
	_, rest, _ = strings.Cut(rest, "\n")
	mint, rest, _ := strings.Cut(rest, "\n\n")
	ran := 0
	for paragraph := range strings.SplitSeq(rest, "\n\n") {
		_, command, _ := strings.Cut(paragraph, "\n")
		command, expected, found := strings.Cut(command, "\n# expect: ")
		want := expects.FindStringSubmatch("# expect: " + expected)
		if !found || want == nil || !strings.HasPrefix(command, "curl ") {
			continue
		}
		ran++
		if out, _ := shell(t, mint+"\n"+command); !strings.HasPrefix(out, "HTTP/1.1 "+want[1]+" ") {
			t.Errorf("want %s:\n%s\n%s", want[1], command, out)
		}
	}
	if ran != len(tourSteps()) {
		t.Errorf("%d of %d commands ran", ran, len(tourSteps()))
	}
}

func TestThePageIsNeverServedToOtherMachines(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:9002", ":9002", "192.168.0.1:9002"} {
		if err := execute(t.Context(), io.Discard, "--once", "--page-addr", addr); err == nil || !strings.Contains(err.Error(), "loopback") {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

// The product's image has the runner and nothing of the playground.
func TestThePlaygroundIsNotInTheProductsImage(t *testing.T) {
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	stages := map[string][]string{}
	stage := ""
	for line := range strings.Lines(string(text)) {
		switch fields := strings.Fields(line); {
		case len(fields) == 4 && fields[0] == "FROM":
			stage = fields[3]
		case len(fields) > 0 && (fields[0] == "COPY" || fields[0] == "ADD"):
			stages[stage] = append(stages[stage], strings.TrimSpace(line))
		}
	}
	for _, product := range []string{"runner", "apisix"} {
		copies := strings.Join(stages[product], "\n")
		if !strings.Contains(copies, "go-runner") {
			t.Errorf("the stage %s copies no runner: %q", product, copies)
		}
		if strings.Contains(copies, "playground") || strings.Contains(copies, "$TARGETARCH/ ") || strings.Contains(copies, "*") {
			t.Errorf("the stage %s copies the playground: %q", product, copies)
		}
	}
	if !strings.Contains(strings.Join(stages["testkit"], "\n"), "playground") {
		t.Errorf("the stages were not found: %v", stages)
	}
}
