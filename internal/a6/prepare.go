package a6

import wire "github.com/api7/ext-plugin-proto/go/A6/PrepareConf"

// EncodePrepareConf builds APISIX's PrepareConf: the route's idempotent key
// and one entry per plugin, in the order they run.
func EncodePrepareConf(key string, conf []Entry) []byte {
	b := newBuilder()
	keyAt := b.CreateString(key)
	confAt := entryVector(b, conf)
	wire.ReqStart(b)
	wire.ReqAddKey(b, keyAt)
	if confAt != 0 {
		wire.ReqAddConf(b, confAt)
	}
	return finish(b, wire.ReqEnd(b))
}

// DecodePrepareConf reads what EncodePrepareConf built. The error wraps
// ErrMalformed.
func DecodePrepareConf(payload []byte) (key string, conf []Entry, err error) {
	t, err := root(payload)
	if err != nil {
		return "", nil, inside("PrepareConf request", err)
	}
	if conf, err = t.entries(0); err != nil {
		return "", nil, inside("PrepareConf request: conf", err)
	}
	if key, _, err = t.string(1); err != nil {
		return "", nil, inside("PrepareConf request: key", err)
	}
	return key, conf, nil
}

// EncodePrepareConfResp builds the runner's answer to PrepareConf.
func EncodePrepareConfResp(token uint32) []byte {
	b := newBuilder()
	wire.RespStart(b)
	wire.RespAddConfToken(b, token)
	return finish(b, wire.RespEnd(b))
}

// DecodePrepareConfResp returns the configuration token. The error wraps
// ErrMalformed.
func DecodePrepareConfResp(payload []byte) (uint32, error) {
	t, err := root(payload)
	if err != nil {
		return 0, inside("PrepareConf answer", err)
	}
	token, err := t.uint32(0)
	return token, inside("PrepareConf answer: conf_token", err)
}
