package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// loggerConf is the part of http-logger that the double has: entries of a format,
// each sent by itself.
type loggerConf struct {
	URI       string            `json:"uri"`
	Format    map[string]string `json:"log_format"`
	BatchSize int               `json:"batch_max_size"`
	Timeout   int               `json:"timeout"` // seconds
	Meta      json.RawMessage   `json:"_meta"`
}

func readHTTPLogger(raw json.RawMessage, _ string) (plugin, error) {
	conf := &loggerConf{BatchSize: 1000, Timeout: 3}
	if err := decodeWhole(raw, conf); err != nil {
		return plugin{}, err
	}
	return plugin{log: conf.log}, conf.check()
}

func (c *loggerConf) check() error {
	to, err := url.Parse(c.URI)
	switch {
	case c.URI == "":
		return errors.New(`property "uri" is required`)
	case err != nil || to.Scheme != "http" || to.Host == "":
		return errors.New("the double logs to an http URL")
	case c.BatchSize != 1 || c.Format == nil || c.Timeout < 1:
		return errors.New("the double logs in a log_format, with batch_max_size 1")
	}
	return nil
}

// log never keeps an answer waiting. A variable that has no value is left out.
func (c *loggerConf) log(w *worker, req *request) {
	entry := map[string]any{"route_id": req.matched.value["id"]}
	for name, value := range c.Format {
		if variable, is := strings.CutPrefix(value, "$"); is {
			there := false
			if value, there = req.variable(variable); !there {
				continue
			}
		}
		entry[name] = value
	}
	line, err := json.Marshal(entry)
	if err != nil {
		w.gateway.log.Printf("http-logger: %v", err)
		return
	}
	w.gateway.serving.Go(func() {
		client := http.Client{Timeout: time.Duration(c.Timeout) * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := client.Post(c.URI, "application/json", bytes.NewReader(line))
		if err != nil {
			w.gateway.log.Printf("http-logger: %v", err)
			return
		}
		_ = resp.Body.Close()
		if resp.StatusCode >= http.StatusBadRequest {
			w.gateway.log.Printf("http-logger: server returned status code %d", resp.StatusCode)
		}
	})
}
