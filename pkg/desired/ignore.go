package desired

import (
	"path"
	"slices"
	"strings"
)

// isManifest reports whether a file of this name is read: it has one of our
// endings, in whatever case, since a rename from ok.yaml to ok.YAML, or a copy by way
// of a file system that knows no case, must stop no child; and it is no editor's swap, backup or temporary file. Those mostly end in
// something else anyway (x.yaml~, x.yaml.bak); what is left are names such as
// .x.yaml.swp, .#x.yaml and #x.yaml#.
func isManifest(name string) bool {
	if isHidden(name) {
		return false
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// slips are endings that somebody who meant one of ours wrote, and that mean nothing
// else. What takes a manifest away on purpose is not among them: .bak, .off,
// .disabled, and what editors and package managers leave.
var slips = []string{".yaml.txt", ".yml.txt", ".json.txt", ".yam", ".yaam", ".ymal", ".yalm", ".yaml_", ".ym", ".yml_", ".jsn", ".josn", ".jsno"}

// looksLikeManifest reports whether a file of this name was probably meant to be
// read, and is not.
func looksLikeManifest(name string) bool {
	if isHidden(name) || isManifest(name) {
		return false
	}
	name = strings.ToLower(name)
	trimmed := strings.TrimRight(name, " .")
	return trimmed != name && isManifest(trimmed) ||
		slices.ContainsFunc(slips, func(s string) bool { return strings.HasSuffix(trimmed, s) && len(trimmed) > len(s) })
}

// warnings are the files of f and below that look like manifests and are not read.
func (f *folder) warnings() []Problem {
	var all []Problem
	for _, name := range f.unread {
		all = append(all, Problem{File: joinPath(f.path, name), Reason: "looks like a manifest and is not read",
			Hint: "names of manifests end in .yaml, .yml or .json"})
	}
	for _, sub := range f.folders {
		all = append(all, sub.warnings()...)
	}
	return all
}

// isHidden reports whether a file or folder of this name is passed over: "..data"
// of a mounted ConfigMap, ".git", ".x.yaml.swp", "#x.yaml#", "backup~".
func isHidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "#") || strings.HasSuffix(name, "~")
}
