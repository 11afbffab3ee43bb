package importer

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// procfileLine is "name: command", as Heroku documents it.
var procfileLine = regexp.MustCompile(`^([A-Za-z0-9_-]+):\s*(.+?)\s*$`)

func readProcfiles(r *Result, files []File) error {
	for _, f := range files {
		if err := readProcfile(r, f); err != nil {
			return err
		}
	}
	return nil
}

func readProcfile(r *Result, f File) error {
	n, found := 0, false
	for line := range bytes.Lines(f.Text) {
		n++
		text := strings.TrimSpace(string(line))
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		parts := procfileLine.FindStringSubmatch(text)
		if parts == nil {
			return fmt.Errorf("read %s: line %d is not \"name: command\"", f.Name, n)
		}
		found = true
		m := &Manifest{
			Name: parts[1], Command: shellCommand(parts[2]), WorkingDir: f.dir(),
			Source: fmt.Sprintf("%s, line %d", f.Name, n),
		}
		if strings.Contains(parts[2], "PORT") {
			m.note("$PORT", "foreman and Heroku choose it; here it is set nowhere: add it to environment")
		}
		if m.Name == "release" {
			m.RestartPolicy = "temporary"
			m.note("release", "Heroku runs it once before the others; here it runs once beside them: name it under their dependencies, with condition: completed")
		}
		r.Manifests = append(r.Manifests, m)
	}
	if !found {
		return fmt.Errorf("read %s: it declares no process", f.Name)
	}
	r.note(f.Name, ".env", "foreman reads a file of this name beside the Procfile; if there is one, name it under env_files with its whole path. Its values were not copied")
	return nil
}
