package fetch_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// The machine's own proxy would dial in place of the client under test.
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		_ = os.Unsetenv(name) // it fails for no valid name
	}
	goleak.VerifyTestMain(m)
}
