package client

// A body for BuildKit's client: what a test asks of a daemon becomes a command line of `kist build`. `run` lays this file into the
// package, and takes the methods of the same names away from BuildKit's own.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/version"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	gatewayapi "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/session/secrets"
	"github.com/moby/buildkit/session/sshforward/sshprovider"
	"github.com/moby/buildkit/session/upload"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/pkg/errors"
	"github.com/tonistiigi/fsutil"
	"google.golang.org/grpc/metadata"
)

// Solve builds a Dockerfile.
func (c *Client) Solve(ctx context.Context, def *llb.Definition, opt SolveOpt, status chan *SolveStatus) (*SolveResponse, error) {
	if status != nil {
		defer close(status)
	}
	if def != nil || opt.Frontend != "dockerfile.v0" {
		return nil, errors.New("kist has no LLB and no frontend but the Dockerfile's")
	}
	_, err := c.build(ctx, opt, nil, status)
	return &SolveResponse{ExporterResponse: map[string]string{}}, err
}

// Build lets a gateway's client ask; what it builds goes where `opt` says.
func (c *Client) Build(ctx context.Context, opt SolveOpt, _ string, ask gateway.BuildFunc, status chan *SolveStatus) (_ *SolveResponse, err error) {
	if status != nil {
		defer close(status)
	}
	// What a gateway's client or its results cannot do here is nil.
	defer func() {
		if nothing := recover(); nothing != nil {
			err = errors.Errorf("kist has no LLB: %v", nothing)
		}
	}()
	_, err = ask(ctx, &gatewayClient{c: c, opt: opt, status: status})
	return &SolveResponse{ExporterResponse: map[string]string{}}, err
}

// Prune forgets what steps made.
func (c *Client) Prune(ctx context.Context, ch chan UsageInfo, opts ...PruneOption) error {
	_, err := c.kist(ctx, "builder", "prune", "--all", "--force").Output()
	return err
}

// DiskUsage lists what steps made.
func (c *Client) DiskUsage(ctx context.Context, opts ...DiskUsageOption) ([]*UsageInfo, error) {
	out, err := c.kist(ctx, "builder", "du").Output()
	var all []*UsageInfo
	for row := range strings.Lines(string(out)) {
		// Not the head, and not the sums below.
		if words := strings.Fields(row); len(words) > 2 && words[0] != "ID" {
			all = append(all, &UsageInfo{ID: words[0]})
		}
	}
	return all, err
}

// Info tells which language is expected of it: that of the tests.
func (c *Client) Info(context.Context) (*Info, error) {
	return &Info{BuildkitVersion: BuildkitVersion{DockerfileVersion: strings.TrimSuffix(version.Version(), "-dev")}}, nil
}

// The gateway's interface is larger.
type gatewayClient struct {
	gateway.Client
	c      *Client
	opt    SolveOpt
	status chan *SolveStatus
}

func (g *gatewayClient) BuildOpts() gateway.BuildOpts {
	return gateway.BuildOpts{Caps: gatewayapi.Caps.CapSet(gatewayapi.Caps.All()), LLBCaps: pb.Caps.CapSet(pb.Caps.All())}
}

func (g *gatewayClient) Solve(ctx context.Context, req gateway.SolveRequest) (*gateway.Result, error) {
	if req.Frontend != "dockerfile.v0" || req.Definition != nil || req.FrontendInputs != nil {
		return nil, errors.New("kist has no LLB and no frontend but the Dockerfile's")
	}
	opt := g.opt
	opt.FrontendAttrs = req.FrontendOpt
	var call []string
	if id := req.FrontendOpt["requestid"]; id != "" {
		name := strings.TrimPrefix(id, "frontend.")
		call, opt.Exports = []string{"--call", name + ",format=json"}, nil
	}
	result := gateway.NewResult()
	out, err := g.c.build(ctx, opt, call, g.status)
	if call != nil && json.Valid(out) {
		// `check` ends with an error where it finds something.
		result.AddMeta("result.json", out)
		err = nil
	}
	return result, err
}

func (c *Client) kist(ctx context.Context, args ...string) *exec.Cmd {
	dir := filepath.Dir(strings.TrimPrefix(c.conn.Target(), "unix://"))
	roots := []string{"--root", filepath.Join(dir, "root"), "--run-root", filepath.Join(dir, "run")}
	return exec.CommandContext(ctx, "kist", append(roots, args...)...)
}

// What one build needs besides its arguments.
type command struct {
	args   []string
	stdin  io.Reader
	tmp    string
	source string         // the Dockerfile
	after  []func() error // files on their way to the test
}

func (c *Client) build(ctx context.Context, opt SolveOpt, call []string, status chan *SolveStatus) ([]byte, error) {
	tmp, err := os.MkdirTemp("", "kist")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	cmd := &command{tmp: tmp, args: append([]string{"build", "--progress", "rawjson"}, call...)}
	for _, part := range []func(SolveOpt) error{cmd.attrs, cmd.session, cmd.exports, cmd.caches, cmd.inputs} {
		if err := part(opt); err != nil {
			return nil, err
		}
	}
	out, err := c.start(ctx, cmd, status)
	for _, after := range cmd.after {
		if err == nil {
			err = after()
		}
	}
	return out, err
}

func (c *Client) start(ctx context.Context, cmd *command, status chan *SolveStatus) ([]byte, error) {
	process := c.kist(ctx, cmd.args...)
	process.Stdin = cmd.stdin
	var out bytes.Buffer
	process.Stdout = &out
	stderr, err := process.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	var said []string
	lines := bufio.NewReader(stderr)
	for {
		line, end := lines.ReadString('\n')
		var one SolveStatus
		switch {
		case strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &one) == nil:
			if status != nil {
				status <- &one
			}
		case line != "":
			said = append(said, strings.TrimSuffix(line, "\n"))
		}
		if end != nil {
			break
		}
	}
	if process.Wait() == nil {
		return out.Bytes(), nil
	}
	return out.Bytes(), cmd.failure(said)
}

var meant = regexp.MustCompile(`^ *(\d+) \| >>>`)

// The error is what follows "ERROR: "; the lines meant are those of the excerpt above it.
func (cmd *command) failure(said []string) error {
	at := slices.IndexFunc(said, func(line string) bool { return strings.HasPrefix(line, "ERROR: ") })
	if at < 0 {
		return errors.New(strings.Join(said, "\n"))
	}
	err := errors.New(strings.TrimPrefix(strings.Join(said[at:], "\n"), "ERROR: "))
	source := &errdefs.Source{Info: &pb.SourceInfo{Filename: filepath.Base(cmd.source), Language: "Dockerfile", Definition: &pb.Definition{}}}
	for _, line := range said[:at] {
		if found := meant.FindStringSubmatch(line); found != nil {
			n, _ := strconv.ParseInt(found[1], 10, 32)
			place := &pb.Position{Line: int32(n)}
			source.Ranges = append(source.Ranges, &pb.Range{Start: place, End: place})
		}
	}
	if source.Ranges == nil {
		return err
	}
	source.Info.Data, _ = os.ReadFile(cmd.source)
	return errdefs.WithSource(err, source)
}

func (cmd *command) add(args ...string) { cmd.args = append(cmd.args, args...) }

// Attributes that are a flag's value as they stand.
var flags = map[string]string{
	"target": "--target", "platform": "--platform", "shm-size": "--shm-size", "cgroup-parent": "--cgroup-parent",
	"force-network-mode": "--network", "memory": "--memory",
}

func (cmd *command) attrs(opt SolveOpt) error {
	attrs := maps.Clone(opt.FrontendAttrs)
	if host, ok := attrs["hostname"]; ok && attrs["build-arg:BUILDKIT_SANDBOX_HOSTNAME"] == "" {
		attrs["build-arg:BUILDKIT_SANDBOX_HOSTNAME"] = host
	}
	for key, value := range attrs {
		kind, name, _ := strings.Cut(key, ":")
		switch {
		case kind == "build-arg" || kind == "label":
			cmd.add("--"+kind, name+"="+value)
		case kind == "attest":
			cmd.add("--attest", strings.TrimSuffix("type="+name+","+value, ","))
		case kind == "context" && name != "":
			value, err := cmd.named(opt, value)
			if err != nil {
				return err
			}
			cmd.add("--build-context", name+"="+value)
		case flags[key] != "":
			cmd.add(flags[key], value)
		case key == "no-cache" && value == "":
			cmd.add("--no-cache")
		case key == "no-cache":
			cmd.add("--no-cache-filter", value)
		case key == "cache-from":
			for ref := range strings.SplitSeq(value, ",") {
				cmd.add("--cache-from", "type=registry,ref="+ref)
			}
		case key == "ulimit" || key == "add-hosts":
			for one := range strings.SplitSeq(value, ",") {
				cmd.add("--"+strings.TrimSuffix(key, "s"), one)
			}
		case key == "image-resolve-mode" && value == "pull":
			cmd.add("--pull")
		case key == "frontend.caps" && strings.Contains(value, "notexist"), kind == "input-metadata", key == "contextsubdir":
			return errors.Errorf("no command line says %s=%s", key, value)
		}
	}
	return nil
}

// The value of `--build-context`.
func (cmd *command) named(opt SolveOpt, value string) (string, error) {
	kind, rest, _ := strings.Cut(value, ":")
	switch kind {
	case "local":
		return directory(opt.LocalMounts[rest])
	case "input":
		return "", errors.New("kist has no LLB")
	case "oci-layout":
		id, dgst, _ := strings.Cut(strings.TrimLeft(rest, "/"), "@")
		dir := filepath.Join(cmd.tmp, "layout-"+id)
		return "oci-layout://" + dir + "@" + dgst, layout(opt.OCIStores[id], digest.Digest(dgst), dir)
	}
	return value, nil
}

// Contexts are read in place.
func directory(fs fsutil.FS) (string, error) {
	if fs == nil {
		return "", errors.New("no such local mount")
	}
	root, err := fs.Open(".")
	if err != nil {
		return "", err
	}
	defer root.Close()
	return root.(*os.File).Name(), nil
}

// A content store as an OCI layout, with one image.
func layout(store content.Store, image digest.Digest, dir string) error {
	if store == nil {
		return errors.New("no such store")
	}
	ctx := context.Background()
	index := ocispecs.Index{}
	index.SchemaVersion = 2
	err := store.Walk(ctx, func(info content.Info) error {
		blob, err := content.ReadBlob(ctx, store, ocispecs.Descriptor{Digest: info.Digest, Size: info.Size})
		if err != nil {
			return err
		}
		if info.Digest == image {
			var manifest ocispecs.Manifest
			if err := json.Unmarshal(blob, &manifest); err != nil {
				return err
			}
			index.Manifests = append(index.Manifests, ocispecs.Descriptor{MediaType: manifest.MediaType, Digest: image, Size: info.Size})
		}
		return write(filepath.Join(dir, "blobs", info.Digest.Algorithm().String(), info.Digest.Encoded()), blob)
	})
	if err != nil {
		return err
	}
	text, err := json.Marshal(index)
	if err != nil {
		return err
	}
	if err := write(filepath.Join(dir, "index.json"), text); err != nil {
		return err
	}
	return write(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`))
}

func write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// Context and Dockerfile; last, as it ends the command line.
func (cmd *command) inputs(opt SolveOpt) error {
	here := func(key string) (string, error) {
		if opt.LocalMounts[key] == nil {
			return "", nil
		}
		return directory(opt.LocalMounts[key])
	}
	context, err := here("context")
	if err != nil {
		return err
	}
	beside, err := here("dockerfile")
	if err != nil {
		return err
	}
	file := opt.FrontendAttrs["filename"]
	url := opt.FrontendAttrs["context"]
	uploaded := strings.HasPrefix(url, "http://buildkit-session/")
	switch {
	case uploaded:
		url, cmd.stdin = "-", cmd.upload(opt, url)
	case url == "" && context == "":
		url = filepath.Join(cmd.tmp, "empty")
		if err := os.Mkdir(url, 0o755); err != nil {
			return err
		}
	case url == "":
		url = context
	}
	// Beside a URL the Dockerfile is in it, unless the test says otherwise.
	if remote := opt.FrontendAttrs["context"] != ""; beside != "" && (!remote || opt.FrontendAttrs["dockerfilekey"] != "") {
		if file == "" {
			file = "Dockerfile"
			if _, err := os.Lstat(filepath.Join(beside, file)); err != nil {
				if _, err := os.Lstat(filepath.Join(beside, "dockerfile")); err == nil {
					file = "dockerfile"
				}
			}
		}
		cmd.source = filepath.Join(beside, file)
		file = cmd.source
	}
	if file != "" {
		cmd.add("--file", file)
	}
	cmd.secrets(opt)
	cmd.add(url)
	return nil
}

func (cmd *command) upload(opt SolveOpt, url string) io.Reader {
	reader, writer := io.Pipe()
	for _, one := range opt.Session {
		if server, ok := one.(upload.UploadServer); ok {
			ctx := metadata.NewIncomingContext(context.Background(), metadata.Pairs("urlpath", url))
			go func() { writer.CloseWithError(server.Pull(&uploadStream{ctx: ctx, to: writer})) }()
		}
	}
	return reader
}

type uploadStream struct {
	upload.Upload_PullServer
	ctx context.Context
	to  io.Writer
}

func (s *uploadStream) Context() context.Context { return s.ctx }

func (s *uploadStream) SendMsg(message any) error {
	_, err := s.to.Write(message.(*upload.BytesMessage).Data)
	return err
}

func (cmd *command) session(opt SolveOpt) error {
	for _, allowed := range opt.AllowedEntitlements {
		cmd.add("--allow", allowed)
	}
	for _, one := range opt.Session {
		// A field that `run` puts there.
		if confs := reflect.Indirect(reflect.ValueOf(one)).FieldByName("Confs"); confs.IsValid() {
			for _, agent := range confs.Interface().([]sshprovider.AgentConfig) {
				id := agent.ID
				if id == "" {
					id = "default"
				}
				cmd.add("--ssh", id+"="+strings.Join(agent.Paths, ","))
			}
		}
	}
	return nil
}

var secretName = regexp.MustCompile(`(?:id|target|env)=["']?([^,\s"']+)`)

// A session is asked for secrets by name: for those that the Dockerfile has.
func (cmd *command) secrets(opt SolveOpt) {
	text, _ := os.ReadFile(cmd.source)
	names := map[string]bool{"GIT_AUTH_TOKEN": true, "GIT_AUTH_HEADER": true}
	for _, found := range secretName.FindAllStringSubmatch(string(text), -1) {
		names[filepath.Base(found[1])] = true
	}
	for _, one := range opt.Session {
		server, ok := one.(secrets.SecretsServer)
		if !ok {
			continue
		}
		for name := range names {
			secret, err := server.GetSecret(context.Background(), &secrets.GetSecretRequest{ID: name})
			if err != nil {
				continue
			}
			path := filepath.Join(cmd.tmp, "secret-"+name)
			if os.WriteFile(path, secret.Data, 0o600) == nil {
				cmd.add("--secret", "id="+name+",src="+path)
			}
		}
	}
}

func (cmd *command) exports(opt SolveOpt) error {
	for i, export := range opt.Exports {
		attrs := maps.Clone(export.Attrs)
		if attrs == nil {
			attrs = map[string]string{}
		}
		attrs["type"] = export.Type
		// BuildKit packs an archive's layers unless it is told not to, kist packs them where it is told to.
		if archive := export.Type == ExporterOCI || export.Type == ExporterDocker; archive && attrs["compression"] == "" {
			attrs["compression"] = "gzip"
		}
		switch {
		case export.Output != nil:
			path := filepath.Join(cmd.tmp, "output"+strconv.Itoa(i))
			attrs["dest"] = path
			cmd.after = append(cmd.after, func() error { return hand(path, export) })
		case export.OutputDir != "":
			attrs["dest"] = export.OutputDir
		}
		cmd.add("--output", fields(attrs))
	}
	if len(opt.Exports) == 0 {
		cmd.add("--output", "type=cacheonly")
	}
	return nil
}

func hand(path string, export ExportEntry) error {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := export.Output(map[string]string{})
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		return err
	}
	return to.Close()
}

func (cmd *command) caches(opt SolveOpt) error {
	for _, cache := range opt.CacheExports {
		cmd.add("--cache-to", cacheFields(cache))
	}
	for _, cache := range opt.CacheImports {
		cmd.add("--cache-from", cacheFields(cache))
	}
	return nil
}

func cacheFields(cache CacheOptionsEntry) string {
	attrs := map[string]string{}
	maps.Copy(attrs, cache.Attrs)
	attrs["type"] = cache.Type
	return fields(attrs)
}

// `key=value`s in one line, as flags have them.
func fields(attrs map[string]string) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(attrs)) {
		all = append(all, key+"="+attrs[key])
	}
	var line strings.Builder
	writer := csv.NewWriter(&line)
	_ = writer.Write(all)
	writer.Flush()
	return strings.TrimSpace(line.String())
}
