package trust

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestNobodyIsExcusedWhereTheNamespaceHasAUserOfThatNumber(t *testing.T) {
	for name, row := range map[string]struct {
		uidMap string
		want   bool
	}{
		"the whole machine":             {"         0          0 4294967295\n", true},
		"a container with 65,536 users": {"0 100000 65536\n", true},
		"root alone, as unshare -r":     {"0 1000 1\n", false},
		"a few users in two pieces":     {"0 1000 1\n1 100000 65533\n", false},
		"two pieces up to nobody":       {"0 1000 1\n1 100000 65534\n", true},
		"nothing that can be read":      {"what\n", false},
	} {
		if got := mapped(row.uidMap, 65534); got != row.want {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
}

// access is an access list of the kernel (acl(5), posix_acl_xattr.h): the owner, one
// named user, the group, the mask and others, in this order.
func access(uid uint32) []byte {
	list := binary.LittleEndian.AppendUint32(nil, 2)
	const any = ^uint32(0)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{0x01, 7, any}, {0x02, 7, uid}, {0x04, 7, any}, {0x10, 7, any}, {0x20, 0, any}} {
		list = binary.LittleEndian.AppendUint16(list, e.tag)
		list = binary.LittleEndian.AppendUint16(list, e.perm)
		list = binary.LittleEndian.AppendUint32(list, e.id)
	}
	return list
}

func TestAccessListIsNotExcusedByAPrivateGroup(t *testing.T) {
	root := tree(t, "dir/file")
	path := filepath.Join(root, "dir")
	must(t, os.Chmod(path, 0o770))
	private := Own()
	private.Groups = append(private.Groups, uint32(os.Getegid()))
	_, before := private.Check(filepath.Join(path, "file"))
	if err := unix.Setxattr(path, "system.posix_acl_access", access(stranger), 0); err != nil {
		t.Skipf("this file system takes no access lists: %v", err)
	}

	_, after := private.Check(filepath.Join(path, "file"))

	if before != nil || after == nil || !strings.Contains(after.Error(), "access list") || !strings.Contains(after.Error(), "setfacl -b "+path) {
		t.Errorf("without a list: %v; with one: %v; want a refusal of the second, and the way out", before, after)
	}
}
