package desired

import (
	"path"
	"strings"
)

// isManifest reports whether a file of this name is read: it has one of our
// endings and is no editor's swap, backup or temporary file. Those mostly end in
// something else anyway (x.yaml~, x.yaml.bak); what is left are names such as
// .x.yaml.swp, .#x.yaml and #x.yaml#.
func isManifest(name string) bool {
	if isHidden(name) {
		return false
	}
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// isHidden reports whether a file or folder of this name is passed over: "..data"
// of a mounted ConfigMap, ".git", ".x.yaml.swp", "#x.yaml#", "backup~".
func isHidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "#") || strings.HasSuffix(name, "~")
}
