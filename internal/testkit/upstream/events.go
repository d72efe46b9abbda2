package upstream

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

func wantsEvents(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/event-stream")
}

// events answers with server-sent events. The first says what the request was, and
// then the stream stays open until the client leaves; the query argument events
// gives the number of events after which it ends.
func events(w http.ResponseWriter, r *http.Request, e Echo) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	hello, err := json.Marshal(e)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	args, _ := url.ParseQuery(e.Query)
	last, _ := strconv.Atoi(args.Get("events"))
	flush := http.NewResponseController(w).Flush
	fmt.Fprintf(w, "data: %s\n\n", hello)
	_ = flush() // an error is the client gone
	for n := 2; n <= min(last, 1000); n++ {
		fmt.Fprintf(w, "data: %d\n\n", n)
		_ = flush()
	}
	if last == 0 {
		<-r.Context().Done()
	}
}
