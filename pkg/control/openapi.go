package control

import _ "embed"

// OpenAPI describes the API of the socket for programs, in YAML.
//
//go:embed openapi.yaml
var OpenAPI []byte
