package account

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	// maxWait is how long a name service may think. SSSD itself gives a server that
	// does not answer 6 s and then says what it has cached (dns_resolver_timeout).
	maxWait = 15 * time.Second

	// maxRest is how long the pipe of an answer is waited for when getent is gone: who
	// it left behind may hold it for ever.
	maxRest = time.Second

	// maxAnswer bounds what is kept of an answer; a group may have many members.
	maxAnswer = 4 << 20

	// notFound is the exit code of getent(1) for a key that nobody has.
	notFound = 2
)

// hasServices reports whether there is a getent to ask.
func (d Database) hasServices() bool {
	fi, err := os.Stat(d.getent())
	return err == nil && fi.Mode().IsRegular()
}

func (d Database) getent() string { return or(d.Getent, "/usr/bin/getent") }

func (d Database) askUser(ctx context.Context, name string) (User, error) {
	line, err := d.ask(ctx, "passwd", name)
	if err != nil {
		return User{}, err
	}
	u, ok := parseUser(line)
	if !ok {
		return User{}, fmt.Errorf("getent passwd %s: its answer is no entry", name)
	}
	u.elsewhere = true
	return u, nil
}

func (d Database) askGroup(ctx context.Context, name string) (uint32, error) {
	line, err := d.ask(ctx, "group", name)
	if err != nil {
		return 0, err
	}
	g, ok := parseGroup(line)
	if !ok || g.name != name {
		return 0, fmt.Errorf("getent group %s: its answer is not that group", name)
	}
	return g.gid, nil
}

// askGroups is the answer to getent initgroups: the name, then the numbers.
func (d Database) askGroups(ctx context.Context, name string) ([]uint32, error) {
	line, err := d.ask(ctx, "initgroups", name)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(line)
	if len(words) == 0 || words[0] != name {
		return nil, fmt.Errorf("getent initgroups %s: its answer is not of that user", name)
	}
	groups := make([]uint32, 0, len(words)-1)
	for _, w := range words[1:] {
		gid, err := Number(w)
		if err != nil {
			return nil, fmt.Errorf("getent initgroups %s: %w", name, err)
		}
		groups = append(groups, gid)
	}
	return groups, nil
}

// ask is the first line of what getent says. It runs with nothing of our
// environment, and is killed when it takes too long or ctx ends.
func (d Database) ask(ctx context.Context, database, key string) (string, error) {
	if strings.HasPrefix(key, "-") || strings.ContainsAny(key, "\x00\n:") {
		return "", ErrUnknown // it would be an option; no name holds these
	}
	wait := cmp.Or(d.wait, maxWait)
	ctx, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("the name service did not answer within %v", wait))
	defer cancel()
	var out bounded
	cmd := exec.CommandContext(ctx, d.getent(), database, key)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.WaitDelay = []string{"PATH=/usr/bin:/bin"}, "/", &out, min(wait, maxRest)
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("getent %s %s: %w", database, key, context.Cause(ctx))
	case errors.As(err, &exit) && exit.ExitCode() == notFound:
		return "", ErrUnknown
	case err != nil:
		return "", fmt.Errorf("getent %s %s: %w", database, key, err)
	}
	line, _, _ := strings.Cut(out.kept.String(), "\n")
	if line == "" {
		return "", ErrUnknown
	}
	return line, nil
}

// bounded keeps so much of what is written to it, and is full then: io.Copy closes
// the pipe, and who writes to it ends. It embeds no buffer, whose ReadFrom io.Copy
// would prefer.
type bounded struct{ kept bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.kept.Len()+len(p) > maxAnswer {
		return 0, fmt.Errorf("its answer has more than %d bytes", maxAnswer)
	}
	return b.kept.Write(p)
}
