package jwks

import (
	"context"
	"errors"

	"github.com/MicahParks/jwkset"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
)

// storage is what keyfunc looks keys up in: fixed when it is made, so that
// reading takes no lock. The first of two keys with one kid counts.
type storage struct {
	jwkset.Storage // what keyfunc never asks for
	all            []jwkset.JWK
	byKid          map[string]jwkset.JWK
}

var errReadOnly = errors.New("jwks: a key set is not written to")

func newStorage(keys []jwk.Key) *storage {
	s := &storage{Storage: jwkset.NewMemoryStorage(), byKid: make(map[string]jwkset.JWK, len(keys))}
	for _, key := range keys {
		s.all = append(s.all, key.Material())
		if _, taken := s.byKid[key.ID()]; !taken {
			s.byKid[key.ID()] = key.Material()
		}
	}
	return s
}

func (s *storage) KeyRead(_ context.Context, kid string) (jwkset.JWK, error) {
	key, ok := s.byKid[kid]
	if !ok {
		return jwkset.JWK{}, jwkset.ErrKeyNotFound
	}
	return key, nil
}

func (s *storage) KeyReadAll(context.Context) ([]jwkset.JWK, error) { return s.all, nil }

func (*storage) KeyWrite(context.Context, jwkset.JWK) error             { return errReadOnly }
func (*storage) KeyReplaceAll(context.Context, []jwkset.JWK) error      { return errReadOnly }
func (*storage) KeyDelete(context.Context, string) (ok bool, err error) { return false, errReadOnly }
