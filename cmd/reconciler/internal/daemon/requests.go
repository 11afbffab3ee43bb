package daemon

import (
	"path/filepath"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/desired/requests"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// declared is what the control socket needs of children by request.
type declared struct {
	*requests.Store
	*desired.Source
}

// openRequests reads the bodies of children by request. One that cannot be read is
// told; its child stays as it is.
func (d *daemon) openRequests() (*requests.Store, error) {
	var known []child.ID
	for _, s := range d.handle.Children() {
		if s.Origin.ByRequest && s.Operation != child.Removed {
			known = append(known, s.ID)
		}
	}
	store, err := requests.Open(filepath.Join(d.dirs.State, "requests"), known)
	if store == nil {
		return nil, err
	}
	if err != nil {
		d.log.Error(err, "a child by request stays as it is, because its manifest cannot be read: put it again")
	}
	return store, nil
}

// forgetRequests drops the requests whose children files declare now.
func (d *daemon) forgetRequests(ids []child.ID) {
	for _, id := range ids {
		if err := d.requests.Delete(id); err != nil {
			d.log.Error(err, "a request cannot be forgotten; it would count again without the file", "child", string(id))
			continue
		}
		d.log.Info("a manifest declares a child now that was put by request", "child", string(id))
	}
}
