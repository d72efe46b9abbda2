package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/convert"
)

// objectID is what APISIX takes for the id of an object.
var objectID = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.-]*$`)

// applyAll writes the converted objects, one at a time, up to the first that
// cannot be.
func (c *converting) applyAll(cmd *cobra.Command, results []convert.Result) error {
	admin, err := openAdmin(c.admin)
	if err != nil {
		return err
	}
	defer admin.close()
	if err := os.MkdirAll(c.keep, 0o700); err != nil {
		return cannotRun("--keep: %w", err)
	}
	written := []jsonResult{}
	for i, r := range results {
		kept, err := c.applyOne(cmd, admin, r)
		if kept != "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: to put the old one back: %s\n", r.Name(), putBack(admin, r, kept))
		}
		if err != nil {
			return cannotRun("%s: %w; %d of %d are written", r.Name(), err, i, len(results))
		}
		done := c.jsonResult(r)
		done.Kept = kept
		written = append(written, done)
		if c.format == formatText {
			fmt.Fprintf(cmd.OutOrStdout(), "%s: written; the old one is in %s\n", r.Name(), kept)
		}
	}
	if c.format == formatJSON {
		return writeResults(cmd.OutOrStdout(), written)
	}
	return nil
}

func putBack(admin *adminClient, r convert.Result, kept string) string {
	return `curl -fsS -X PUT -H "X-API-KEY: $APISIX_ADMIN_KEY" --data-binary ` + shellQuoted("@"+kept) + " " + shellQuoted(admin.url(r.Kind, r.ID))
}

// applyOne writes an object that is still as it was read. The Admin API has no
// conditional PUT: whoever changes it between the second look and the writing,
// some milliseconds, is overwritten, and the kept file does not have that change.
func (c *converting) applyOne(cmd *cobra.Command, admin *adminClient, r convert.Result) (kept string, err error) {
	ctx := cmd.Context()
	if !objectID.MatchString(r.ID) {
		return "", errors.New("it has no id that the Admin API takes")
	}
	now, err := admin.value(cmd, r)
	if err != nil {
		return "", err
	}
	if !sameJSON(now, r.JSON) {
		return "", errors.New("it was changed since it was read: convert it again")
	}
	if kept, err = c.keepOld(r, time.Now()); err != nil {
		return "", fmt.Errorf("--keep: %w", err)
	}
	if err := admin.put(ctx, r.Body, r.Kind, r.ID); err != nil {
		return kept, err
	}
	if now, err = admin.value(cmd, r); err != nil {
		return kept, err
	}
	if !samePlugins(now, r) {
		return kept, errors.New("the gateway has another body now than was written")
	}
	return kept, nil
}

// value is the object as the gateway has it now.
func (a *adminClient) value(cmd *cobra.Command, r convert.Result) (json.RawMessage, error) {
	data, err := a.get(cmd.Context(), r.Kind, r.ID)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Value json.RawMessage `json:"value"`
		Node  struct {
			Value json.RawMessage `json:"value"`
		} `json:"node"` // of APISIX 2
	}
	if err := json.Unmarshal(data, &answer); err != nil || len(answer.Value)+len(answer.Node.Value) == 0 {
		return nil, errors.New("the gateway has no such object any more")
	}
	if len(answer.Value) > 0 {
		return answer.Value, nil
	}
	return answer.Node.Value, nil
}

// keepOld writes the old body, with its secrets, into a file of its own.
func (c *converting) keepOld(r convert.Result, now time.Time) (path string, err error) {
	path = filepath.Join(c.keep, strings.Join([]string{r.Kind, r.ID, now.UTC().Format("20060102T150405.000Z")}, "-")+".json")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.Write(append(r.JSON[:len(r.JSON):len(r.JSON)], '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", err
	}
	return path, nil
}

// sameJSON compares values; the order of members makes no difference.
func sameJSON(a, b json.RawMessage) bool {
	var one, two any
	return decodeNumbers(a, &one) == nil && decodeNumbers(b, &two) == nil && reflect.DeepEqual(one, two)
}

func decodeNumbers(data []byte, into any) error {
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	return d.Decode(into)
}

// samePlugins reports whether what the gateway has is protected as the converted
// object is: by the same block, and for every request. APISIX fills in defaults.
// Names are read to the letter, as APISIX reads them.
func samePlugins(now json.RawMessage, r convert.Result) bool {
	has, want := pluginsOf(now), pluginsOf(r.Body)
	const block = "ext-plugin-pre-req"
	var hasBlock, wantBlock map[string]json.RawMessage
	if json.Unmarshal(has[block], &hasBlock) != nil || json.Unmarshal(want[block], &wantBlock) != nil || has[r.Plugin] != nil {
		return false
	}
	if degrades := hasBlock["allow_degradation"]; degrades != nil && string(degrades) != "false" {
		return false
	}
	return sameJSON(hasBlock["conf"], wantBlock["conf"]) &&
		(wantBlock["_meta"] == nil && hasBlock["_meta"] == nil || sameJSON(hasBlock["_meta"], wantBlock["_meta"]))
}

// pluginsOf are an object's plugins; nil is none.
func pluginsOf(object json.RawMessage) (plugins map[string]json.RawMessage) {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil || json.Unmarshal(members["plugins"], &plugins) != nil {
		return nil
	}
	return plugins
}
