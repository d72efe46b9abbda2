package gateway

import "encoding/json"

type bufferingConf struct {
	Disable bool            `json:"disable_proxy_buffering"`
	Meta    json.RawMessage `json:"_meta"`
}

func readProxyBuffering(raw json.RawMessage, _ string) (plugin, error) {
	conf := &bufferingConf{}
	run := func(_ *worker, req *request) *answer {
		req.unbuffered = conf.Disable
		return nil
	}
	return plugin{run: run}, decodeWhole(raw, conf)
}
