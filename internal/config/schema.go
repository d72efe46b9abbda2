package config

import _ "embed"

// Schema is the configuration as JSON Schema (draft 2020-12). What it takes
// [Parse] may still refuse; what it refuses [Parse] refuses too.
//
//go:embed schema.json
var Schema []byte
