package runtime

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/reconciler-dev/reconciler/internal/account"
	"github.com/reconciler-dev/reconciler/internal/envfile"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// maxEnvFile bounds an env file: more than this is no list of variables.
const maxEnvFile = 1 << 20

// ofUser are the variables that say who somebody is.
var ofUser = []string{"HOME", "USER", "LOGNAME", "SHELL", "MAIL"}

// environment is the whole environment of an attempt. Later sources win: what is
// inherited, the user's own variables (HOME, USER, LOGNAME, SHELL, as systemd
// sets them for User=), env_files in their order, environment with its secrets.
func (h Host) environment(s machine.Start, who identity) ([]string, error) {
	vars := h.inherited(s.Spec.Inherited())
	if who.other {
		for _, name := range ofUser {
			delete(vars, name)
		}
		maps.Copy(vars, variablesOf(who.user))
	}
	if _, ok := vars["PATH"]; !ok {
		vars["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	for _, file := range s.Spec.EnvFiles {
		if err := h.readEnvFile(h.at(file), who.staysRoot(), vars); err != nil {
			return nil, fmt.Errorf("env_files: %w", err)
		}
	}
	for _, v := range s.Spec.Environment {
		value, set, err := h.variable(s.Spec, v)
		if err != nil {
			return nil, err
		}
		if delete(vars, v.Name); set {
			vars[v.Name] = value
		}
	}
	if s.Key.Role == child.Main && sendsHeartbeats(s.Spec) {
		vars["WATCHDOG_USEC"] = strconv.FormatInt(s.Spec.HealthCheck.CheckInterval.Duration().Microseconds(), 10)
	}
	for _, kv := range s.Env {
		name, value, _ := strings.Cut(kv, "=")
		vars[name] = value
	}
	env := make([]string, 0, len(vars))
	for name, value := range vars {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env, nil
}

// inherited is what a child gets of our own environment.
func (h Host) inherited(in child.InheritEnvironment) map[string]string {
	vars := map[string]string{}
	for _, kv := range h.Environ {
		name, value, ok := strings.Cut(kv, "=")
		if ok && (in.All || slices.Contains(in.Names, name)) && !child.OfManager(name) {
			vars[name] = value
		}
	}
	return vars
}

// variablesOf are the variables of a user; none if no database knows it. As
// systemd, it tells no shell that lets nobody in: what calls $SHELL would fail.
func variablesOf(u *account.User) map[string]string {
	if u == nil {
		return nil
	}
	vars := map[string]string{"USER": u.Name, "LOGNAME": u.Name}
	if filepath.IsAbs(u.Home) {
		vars["HOME"] = u.Home
	}
	if filepath.IsAbs(u.Shell) && !slices.Contains([]string{"nologin", "false", "true"}, filepath.Base(u.Shell)) {
		vars["SHELL"] = u.Shell
	}
	return vars
}

func valueOf(env []string, name string) string {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v
		}
	}
	return ""
}

// readEnvFile adds the variables of file, in the syntax of internal/envfile. An error
// never shows a value: it may be a secret.
func (h Host) readEnvFile(file string, root bool, vars map[string]string) error {
	data, err := h.readEnvText(file, root)
	if err != nil {
		return err
	}
	read, err := envfile.Parse(string(data))
	if err != nil {
		return fmt.Errorf("%s:%w", file, err)
	}
	for _, v := range read {
		vars[v.Name] = v.Value
	}
	return nil
}
