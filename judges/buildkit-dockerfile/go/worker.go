package workers

// The worker of the tests: a directory with a root of kist's own, and no daemon. `client.go` finds it by the address.

import (
	"context"
	"os"
	"path/filepath"

	"github.com/moby/buildkit/util/testutil/integration"
)

func initOCIWorker() { integration.Register(kist{}) }

type kist struct{}

func (kist) Name() string        { return "kist" }
func (kist) Rootless() bool      { return false }
func (kist) NetNSDetached() bool { return false }
func (kist) Close() error        { return nil }

func (kist) New(_ context.Context, _ *integration.BackendConfig) (integration.Backend, func() error, error) {
	dir, err := os.MkdirTemp("", "root")
	if err != nil {
		return nil, nil, err
	}
	return backend{address: "unix://" + filepath.Join(dir, "kist.sock")}, func() error { return os.RemoveAll(dir) }, nil
}
