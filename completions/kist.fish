# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_kist_global_optspecs
    string join \n config= root= run-root= v/version
end

function __fish_kist_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_kist_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_kist_using_subcommand
    set -l cmd (__fish_kist_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c kist -n "__fish_kist_needs_command" -l config -d 'Location of client config files (default "~/.docker", env DOCKER_CONFIG)' -r
complete -c kist -n "__fish_kist_needs_command" -l root -d 'Directory of images and containers (default "/var/lib/kist", env KIST_ROOT)' -r
complete -c kist -n "__fish_kist_needs_command" -l run-root -d 'Directory of running state (default "/run/kist", env KIST_RUN_ROOT)' -r
complete -c kist -n "__fish_kist_needs_command" -s v -l version -d 'Print version information and quit'
complete -c kist -n "__fish_kist_needs_command" -f -a "run" -d 'Create and run a new container from an image'
complete -c kist -n "__fish_kist_needs_command" -f -a "exec" -d 'Execute a command in a running container'
complete -c kist -n "__fish_kist_needs_command" -f -a "ps" -d 'List containers'
complete -c kist -n "__fish_kist_needs_command" -f -a "build" -d 'Build an image from a Dockerfile'
complete -c kist -n "__fish_kist_needs_command" -f -a "pull" -d 'Download an image from a registry'
complete -c kist -n "__fish_kist_needs_command" -f -a "push" -d 'Upload an image to a registry'
complete -c kist -n "__fish_kist_needs_command" -f -a "images" -d 'List images'
complete -c kist -n "__fish_kist_needs_command" -f -a "login" -d 'Authenticate to a registry (Docker Hub if no server is named)'
complete -c kist -n "__fish_kist_needs_command" -f -a "logout" -d 'Log out from a registry (Docker Hub if no server is named)'
complete -c kist -n "__fish_kist_needs_command" -f -a "version" -d 'Show the kist version information'
complete -c kist -n "__fish_kist_needs_command" -f -a "info" -d 'Display system-wide information'
complete -c kist -n "__fish_kist_needs_command" -f -a "attach" -d 'Attach local standard input, output, and error streams to a running container'
complete -c kist -n "__fish_kist_needs_command" -f -a "commit" -d 'Create a new image from a container\'s changes'
complete -c kist -n "__fish_kist_needs_command" -f -a "cp" -d 'Copy files/folders between a container and the local filesystem'
complete -c kist -n "__fish_kist_needs_command" -f -a "create" -d 'Create a new container'
complete -c kist -n "__fish_kist_needs_command" -f -a "diff" -d 'Inspect changes to files or directories on a container\'s filesystem'
complete -c kist -n "__fish_kist_needs_command" -f -a "events" -d 'Get real time events'
complete -c kist -n "__fish_kist_needs_command" -f -a "export" -d 'Export a container\'s filesystem as a tar archive'
complete -c kist -n "__fish_kist_needs_command" -f -a "history" -d 'Show the history of an image'
complete -c kist -n "__fish_kist_needs_command" -f -a "import" -d 'Import the contents from a tarball to create a filesystem image'
complete -c kist -n "__fish_kist_needs_command" -f -a "inspect" -d 'Return low-level information on Docker objects'
complete -c kist -n "__fish_kist_needs_command" -f -a "kill" -d 'Kill one or more running containers'
complete -c kist -n "__fish_kist_needs_command" -f -a "load" -d 'Load an image from a tar archive or STDIN'
complete -c kist -n "__fish_kist_needs_command" -f -a "logs" -d 'Fetch the logs of a container'
complete -c kist -n "__fish_kist_needs_command" -f -a "pause" -d 'Pause all processes within one or more containers'
complete -c kist -n "__fish_kist_needs_command" -f -a "port" -d 'List port mappings or a specific mapping for the container'
complete -c kist -n "__fish_kist_needs_command" -f -a "rename" -d 'Rename a container'
complete -c kist -n "__fish_kist_needs_command" -f -a "restart" -d 'Restart one or more containers'
complete -c kist -n "__fish_kist_needs_command" -f -a "rm" -d 'Remove one or more containers'
complete -c kist -n "__fish_kist_needs_command" -f -a "rmi" -d 'Remove one or more images'
complete -c kist -n "__fish_kist_needs_command" -f -a "save" -d 'Save one or more images to a tar archive (streamed to STDOUT by default)'
complete -c kist -n "__fish_kist_needs_command" -f -a "start" -d 'Start one or more stopped containers'
complete -c kist -n "__fish_kist_needs_command" -f -a "stats" -d 'Display a live stream of container(s) resource usage statistics'
complete -c kist -n "__fish_kist_needs_command" -f -a "stop" -d 'Stop one or more running containers'
complete -c kist -n "__fish_kist_needs_command" -f -a "tag" -d 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE'
complete -c kist -n "__fish_kist_needs_command" -f -a "top" -d 'Display the running processes of a container'
complete -c kist -n "__fish_kist_needs_command" -f -a "unpause" -d 'Unpause all processes within one or more containers'
complete -c kist -n "__fish_kist_needs_command" -f -a "update" -d 'Update configuration of one or more containers'
complete -c kist -n "__fish_kist_needs_command" -f -a "wait" -d 'Block until one or more containers stop, then print their exit codes'
complete -c kist -n "__fish_kist_needs_command" -f -a "builder" -d 'Manage builds'
complete -c kist -n "__fish_kist_needs_command" -f -a "buildx" -d 'Build images, in the words of Docker\'s plugin'
complete -c kist -n "__fish_kist_needs_command" -f -a "container" -d 'Manage containers'
complete -c kist -n "__fish_kist_needs_command" -f -a "image" -d 'Manage images'
complete -c kist -n "__fish_kist_needs_command" -f -a "network" -d 'Manage networks'
complete -c kist -n "__fish_kist_needs_command" -f -a "registry" -d 'Serve images'
complete -c kist -n "__fish_kist_needs_command" -f -a "system" -d 'Manage kist'
complete -c kist -n "__fish_kist_needs_command" -f -a "volume" -d 'Manage volumes'
complete -c kist -n "__fish_kist_using_subcommand run" -l annotation -d 'Add an annotation to the container' -r
complete -c kist -n "__fish_kist_using_subcommand run" -s a -l attach -d 'Attach to STDIN, STDOUT or STDERR' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l blkio-weight -d 'Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l blkio-weight-device -d 'Block IO weight (relative device weight)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l cap-add -d 'Add Linux capabilities' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l cap-drop -d 'Drop Linux capabilities' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l cgroup-parent -d 'Optional parent cgroup for the container' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l cgroupns -d 'Cgroup namespace to use (host|private)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l cidfile -d 'Write the container ID to the file' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l cpu-period -d 'Limit CPU CFS (Completely Fair Scheduler) period' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l cpu-quota -d 'Limit CPU CFS (Completely Fair Scheduler) quota' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l cpu-rt-period -d 'Limit CPU real-time period in microseconds' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l cpu-rt-runtime -d 'Limit CPU real-time runtime in microseconds' -r
complete -c kist -n "__fish_kist_using_subcommand run" -s c -l cpu-shares -d 'CPU shares (relative weight)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l cpus -d 'Number of CPUs' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l cpuset-cpus -d 'CPUs in which to allow execution (0-3, 0,1)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l cpuset-mems -d 'MEMs in which to allow execution (0-3, 0,1)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l device -d 'Add a host device to the container' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l device-cgroup-rule -d 'Add a rule to the cgroup allowed devices list' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l device-read-bps -d 'Limit read rate (bytes per second) from a device' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l device-read-iops -d 'Limit read rate (IO per second) from a device' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l device-write-bps -d 'Limit write rate (bytes per second) to a device' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l device-write-iops -d 'Limit write rate (IO per second) to a device' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l entrypoint -d 'Overwrite the default ENTRYPOINT of the image' -r
complete -c kist -n "__fish_kist_using_subcommand run" -s e -l env -d 'Set environment variables' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l env-file -d 'Read in a file of environment variables' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l gpus -d 'GPU devices to add to the container (\'all\' to pass all GPUs)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l group-add -d 'Add additional groups to join' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l health-cmd -d 'Command to run to check health' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l health-interval -d 'Time between running the check (ms|s|m|h) (default 0s)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l health-retries -d 'Consecutive failures needed to report unhealthy' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l health-start-interval -d 'Time between running the check during the start period (ms|s|m|h) (default 0s)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l health-start-period -d 'Start period for the container to initialize before starting health-retries countdown (ms|s|m|h) (default 0s)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l health-timeout -d 'Maximum time to allow one check to run (ms|s|m|h) (default 0s)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l ipc -d 'IPC mode to use' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l isolation -d 'Container isolation technology' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l kernel-memory -d 'Kernel memory limit (no effect: the kernel has it no more)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -s l -l label -d 'Set meta data on a container' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l label-file -d 'Read in a line delimited file of labels' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l log-driver -d 'Logging driver for the container (json-file, none)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l log-opt -d 'Log driver options (max-size, max-file)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -s m -l memory -d 'Memory limit' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l memory-reservation -d 'Memory soft limit' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l memory-swap -d 'Swap limit equal to memory plus swap: \'-1\' to enable unlimited swap' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l memory-swappiness -d 'Tune container memory swappiness (0 to 100) (default -1)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l mount -d 'Attach a filesystem mount to the container' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l name -d 'Assign a name to the container' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l oom-score-adj -d 'Tune host\'s OOM preferences (-1000 to 1000)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l pid -d 'PID namespace to use' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l pids-limit -d 'Tune container pids limit (set -1 for unlimited)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l platform -d 'Set platform if server is multi-platform capable' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l pull -d 'Pull image before running ("always", "missing", "never") (default "missing")' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l restart -d 'Restart policy to apply when a container exits (default "no")' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l runtime -d 'Runtime to use for this container' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l security-opt -d 'Security Options' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l shm-size -d 'Size of /dev/shm' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l stop-signal -d 'Signal to stop the container' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l stop-timeout -d 'Timeout (in seconds) to stop a container' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l storage-opt -d 'Storage driver options for the container' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l sysctl -d 'Sysctl options' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l timens -d 'Private time namespace: monotonic=SECONDS,boottime=SECONDS' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l tmpfs -d 'Mount a tmpfs directory' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l ulimit -d 'Ulimit options' -r
complete -c kist -n "__fish_kist_using_subcommand run" -s u -l user -d 'Username or UID (format: <name|uid>[:<group|gid>])' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l userns -d 'User namespace to use (host|private|container:NAME)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l uts -d 'UTS namespace to use' -r
complete -c kist -n "__fish_kist_using_subcommand run" -s v -l volume -d 'Bind mount a volume' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l volume-driver -d 'Optional volume driver for the container' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l volumes-from -d 'Mount volumes from the specified container(s)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -s w -l workdir -d 'Working directory inside the container' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l add-host -d 'Add a custom host-to-IP mapping (host:ip)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l dns -d 'Set custom DNS servers' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l dns-opt -d '' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l dns-option -d 'Set DNS options' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l dns-search -d 'Set custom DNS search domains' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l domainname -d 'Container NIS domain name' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l egress -d 'Who may be spoken to outside: "none", or "allow=" and addresses, ranges and names (*.example.com), parted by commas' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l expose -d 'Expose a port or a range of ports' -r
complete -c kist -n "__fish_kist_using_subcommand run" -s h -l hostname -d 'Container host name' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l ip -d 'IPv4 address (e.g., 172.30.100.104)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l ip6 -d 'IPv6 address (e.g., 2001:db8::33)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l link -d 'Add link to another container' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l link-local-ip -d 'Container IPv4/IPv6 link-local addresses' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l mac-address -d 'Container MAC address (e.g., 92:d0:c6:0a:29:33)' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l net -d '' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l net-alias -d '' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l network -d 'Connect a container to a network' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l network-alias -d 'Add network-scoped alias for the container' -r
complete -c kist -n "__fish_kist_using_subcommand run" -s p -l publish -d 'Publish a container\'s port(s) to the host' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l detach-keys -d 'Override the key sequence for detaching a container' -r
complete -c kist -n "__fish_kist_using_subcommand run" -l help
complete -c kist -n "__fish_kist_using_subcommand run" -l disable-content-trust -d 'Skip image verification (default true)'
complete -c kist -n "__fish_kist_using_subcommand run" -l init -d 'Run an init inside the container that forwards signals and reaps processes'
complete -c kist -n "__fish_kist_using_subcommand run" -s i -l interactive -d 'Keep STDIN open even if not attached'
complete -c kist -n "__fish_kist_using_subcommand run" -l no-healthcheck -d 'Disable any container-specified HEALTHCHECK'
complete -c kist -n "__fish_kist_using_subcommand run" -l oom-kill-disable -d 'Disable OOM Killer'
complete -c kist -n "__fish_kist_using_subcommand run" -l privileged -d 'Give extended privileges to this container'
complete -c kist -n "__fish_kist_using_subcommand run" -s q -l quiet -d 'Suppress the pull output'
complete -c kist -n "__fish_kist_using_subcommand run" -l read-only -d 'Mount the container\'s root filesystem as read only'
complete -c kist -n "__fish_kist_using_subcommand run" -l rm -d 'Automatically remove the container and its associated anonymous volumes when it exits'
complete -c kist -n "__fish_kist_using_subcommand run" -s t -l tty -d 'Allocate a pseudo-TTY'
complete -c kist -n "__fish_kist_using_subcommand run" -s P -l publish-all -d 'Publish all exposed ports to random ports'
complete -c kist -n "__fish_kist_using_subcommand run" -s d -l detach -d 'Run container in background and print container ID'
complete -c kist -n "__fish_kist_using_subcommand run" -l sig-proxy -d 'Proxy received signals to the process (default true)'
complete -c kist -n "__fish_kist_using_subcommand exec" -l detach-keys -d 'Override the key sequence for detaching a container' -r
complete -c kist -n "__fish_kist_using_subcommand exec" -s e -l env -d 'Set environment variables' -r
complete -c kist -n "__fish_kist_using_subcommand exec" -l env-file -d 'Read in a file of environment variables' -r
complete -c kist -n "__fish_kist_using_subcommand exec" -s u -l user -d 'Username or UID (format: "<name|uid>[:<group|gid>]")' -r
complete -c kist -n "__fish_kist_using_subcommand exec" -s w -l workdir -d 'Working directory inside the container' -r
complete -c kist -n "__fish_kist_using_subcommand exec" -l help
complete -c kist -n "__fish_kist_using_subcommand exec" -s h
complete -c kist -n "__fish_kist_using_subcommand exec" -s d -l detach -d 'Detached mode: run command in the background'
complete -c kist -n "__fish_kist_using_subcommand exec" -s i -l interactive -d 'Keep STDIN open even if not attached'
complete -c kist -n "__fish_kist_using_subcommand exec" -l privileged -d 'Give extended privileges to the command'
complete -c kist -n "__fish_kist_using_subcommand exec" -s t -l tty -d 'Allocate a pseudo-TTY'
complete -c kist -n "__fish_kist_using_subcommand ps" -s f -l filter -d 'Filter output based on conditions provided' -r
complete -c kist -n "__fish_kist_using_subcommand ps" -l format -d 'Format output using a custom template: \'table\':            Print output in table format with column headers (default) \'table TEMPLATE\':   Print output in table format using the given Go template \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand ps" -s n -l last -d 'Show n last created containers (includes all states) (default -1)' -r
complete -c kist -n "__fish_kist_using_subcommand ps" -l help
complete -c kist -n "__fish_kist_using_subcommand ps" -s h
complete -c kist -n "__fish_kist_using_subcommand ps" -s a -l all -d 'Show all containers (default shows just running)'
complete -c kist -n "__fish_kist_using_subcommand ps" -s l -l latest -d 'Show the latest created container (includes all states)'
complete -c kist -n "__fish_kist_using_subcommand ps" -l no-trunc -d 'Don\'t truncate output'
complete -c kist -n "__fish_kist_using_subcommand ps" -s q -l quiet -d 'Only display container IDs'
complete -c kist -n "__fish_kist_using_subcommand ps" -s s -l size -d 'Display total file sizes'
complete -c kist -n "__fish_kist_using_subcommand build" -l add-host -d 'Add a custom host-to-IP mapping (format: "host:ip")' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l allow -d 'Allow extra privileged entitlement (e.g., "network.host", "security.insecure")' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l annotation -d 'Add annotation to the image' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l attest -d 'Attestation parameters (format: "type=sbom,generator=image")' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l build-arg -d 'Set build-time variables' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l build-context -d 'Additional build contexts (e.g., name=path)' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l builder -d 'Override the configured builder instance' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l cache-from -d 'External cache sources (e.g., "user/app:cache", "type=local,src=path/to/dir")' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l cache-to -d 'Cache export destinations (e.g., "user/app:cache", "type=local,dest=path/to/dir")' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l call -d 'Set method for evaluating build ("check", "outline", "targets")' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l cgroup-parent -d 'Set the parent cgroup for the "RUN" instructions during build' -r
complete -c kist -n "__fish_kist_using_subcommand build" -s f -l file -d 'Name of the Dockerfile (default: "PATH/Dockerfile")' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l iidfile -d 'Write the image ID to a file' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l label -d 'Set metadata for an image' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l metadata-file -d 'Write build result metadata to a file' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l network -d 'Set the networking mode for the "RUN" instructions during build' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l no-cache-filter -d 'Do not cache specified stages' -r
complete -c kist -n "__fish_kist_using_subcommand build" -s o -l output -d 'Output destination (format: "type=local,dest=path")' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l platform -d 'Set target platform for build' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l print -d '' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l progress -d 'Set type of progress output ("auto", "none", "plain", "quiet", "rawjson", "tty"). Use plain to show container output' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l provenance -d 'Shorthand for "--attest=type=provenance"' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l sbom -d 'Shorthand for "--attest=type=sbom"' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l secret -d 'Secret to expose to the build (format: "id=mysecret[,src=/local/secret]")' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l shm-size -d 'Shared memory size for build containers' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l ssh -d 'SSH agent socket or keys to expose to the build (format: "default|<id>[=<socket>|<key>[,<key>]]")' -r
complete -c kist -n "__fish_kist_using_subcommand build" -s t -l tag -d 'Image identifier (format: "[registry/]repository[:tag]")' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l target -d 'Set the target build stage to build' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l ulimit -d 'Ulimit options' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l cpu-period -d '' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l cpu-quota -d '' -r
complete -c kist -n "__fish_kist_using_subcommand build" -s c -l cpu-shares -d '' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l cpuset-cpus -d '' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l cpuset-mems -d '' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l isolation -d '' -r
complete -c kist -n "__fish_kist_using_subcommand build" -s m -l memory -d '' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l memory-swap -d '' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l policy -d '' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l resource -d '' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l security-opt -d '' -r
complete -c kist -n "__fish_kist_using_subcommand build" -l help
complete -c kist -n "__fish_kist_using_subcommand build" -s h
complete -c kist -n "__fish_kist_using_subcommand build" -l check -d 'Shorthand for "--call=check"'
complete -c kist -n "__fish_kist_using_subcommand build" -s D -l debug -d 'Show what each warning is about'
complete -c kist -n "__fish_kist_using_subcommand build" -l load -d 'Shorthand for "--output=type=docker"'
complete -c kist -n "__fish_kist_using_subcommand build" -l no-cache -d 'Do not use cache when building the image'
complete -c kist -n "__fish_kist_using_subcommand build" -l pull -d 'Always attempt to pull all referenced images'
complete -c kist -n "__fish_kist_using_subcommand build" -l push -d 'Shorthand for "--output=type=registry,unpack=false"'
complete -c kist -n "__fish_kist_using_subcommand build" -s q -l quiet -d 'Suppress the build output and print image ID on success'
complete -c kist -n "__fish_kist_using_subcommand build" -l compress -d ''
complete -c kist -n "__fish_kist_using_subcommand build" -l disable-content-trust -d ' (default true)'
complete -c kist -n "__fish_kist_using_subcommand build" -l force-rm -d ''
complete -c kist -n "__fish_kist_using_subcommand build" -l rm -d ' (default true)'
complete -c kist -n "__fish_kist_using_subcommand build" -l squash -d ''
complete -c kist -n "__fish_kist_using_subcommand pull" -l platform -d 'Set platform if server is multi-platform capable' -r
complete -c kist -n "__fish_kist_using_subcommand pull" -l help
complete -c kist -n "__fish_kist_using_subcommand pull" -s h
complete -c kist -n "__fish_kist_using_subcommand pull" -s a -l all-tags -d 'Download all tagged images in the repository'
complete -c kist -n "__fish_kist_using_subcommand pull" -l disable-content-trust -d 'Skip image verification (default true)'
complete -c kist -n "__fish_kist_using_subcommand pull" -s q -l quiet -d 'Suppress verbose output'
complete -c kist -n "__fish_kist_using_subcommand push" -l platform -d 'Push only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")' -r
complete -c kist -n "__fish_kist_using_subcommand push" -l help
complete -c kist -n "__fish_kist_using_subcommand push" -s h
complete -c kist -n "__fish_kist_using_subcommand push" -s a -l all-tags -d 'Push all tags of an image to the repository'
complete -c kist -n "__fish_kist_using_subcommand push" -l disable-content-trust -d 'Skip image verification (default true)'
complete -c kist -n "__fish_kist_using_subcommand push" -s q -l quiet -d 'Suppress verbose output'
complete -c kist -n "__fish_kist_using_subcommand images" -s f -l filter -d 'Filter output based on conditions provided' -r
complete -c kist -n "__fish_kist_using_subcommand images" -l format -d 'Format output using a custom template: \'table\':            Print output in table format with column headers (default) \'table TEMPLATE\':   Print output in table format using the given Go template \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand images" -l help
complete -c kist -n "__fish_kist_using_subcommand images" -s h
complete -c kist -n "__fish_kist_using_subcommand images" -s a -l all -d 'Show all images (default hides intermediate images)'
complete -c kist -n "__fish_kist_using_subcommand images" -l digests -d 'Show digests'
complete -c kist -n "__fish_kist_using_subcommand images" -l no-trunc -d 'Don\'t truncate output'
complete -c kist -n "__fish_kist_using_subcommand images" -s q -l quiet -d 'Only show image IDs'
complete -c kist -n "__fish_kist_using_subcommand login" -s p -l password -d 'Password or Personal Access Token (PAT)' -r
complete -c kist -n "__fish_kist_using_subcommand login" -s u -l username -d 'Username' -r
complete -c kist -n "__fish_kist_using_subcommand login" -l help
complete -c kist -n "__fish_kist_using_subcommand login" -s h
complete -c kist -n "__fish_kist_using_subcommand login" -l password-stdin -d 'Take the Password or Personal Access Token (PAT) from stdin'
complete -c kist -n "__fish_kist_using_subcommand logout" -l help
complete -c kist -n "__fish_kist_using_subcommand logout" -s h
complete -c kist -n "__fish_kist_using_subcommand version" -s f -l format -d 'Format output using a custom template: \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand version" -l help
complete -c kist -n "__fish_kist_using_subcommand version" -s h
complete -c kist -n "__fish_kist_using_subcommand info" -s f -l format -d 'Format output using a custom template: \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand info" -l help
complete -c kist -n "__fish_kist_using_subcommand info" -s h
complete -c kist -n "__fish_kist_using_subcommand attach" -l detach-keys -d 'Override the key sequence for detaching a container' -r
complete -c kist -n "__fish_kist_using_subcommand attach" -l help
complete -c kist -n "__fish_kist_using_subcommand attach" -s h
complete -c kist -n "__fish_kist_using_subcommand attach" -l no-stdin -d 'Do not attach STDIN'
complete -c kist -n "__fish_kist_using_subcommand attach" -l sig-proxy -d 'Proxy all received signals to the process (default true)'
complete -c kist -n "__fish_kist_using_subcommand commit" -s a -l author -d 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")' -r
complete -c kist -n "__fish_kist_using_subcommand commit" -s c -l change -d 'Apply Dockerfile instruction to the created image' -r
complete -c kist -n "__fish_kist_using_subcommand commit" -s m -l message -d 'Commit message' -r
complete -c kist -n "__fish_kist_using_subcommand commit" -l help
complete -c kist -n "__fish_kist_using_subcommand commit" -s h
complete -c kist -n "__fish_kist_using_subcommand commit" -l no-pause -d 'Disable pausing container during commit'
complete -c kist -n "__fish_kist_using_subcommand commit" -s p -l pause -d 'Pause container during commit (default true)'
complete -c kist -n "__fish_kist_using_subcommand cp" -l help
complete -c kist -n "__fish_kist_using_subcommand cp" -s h
complete -c kist -n "__fish_kist_using_subcommand cp" -s a -l archive -d 'Archive mode (copy all uid/gid information)'
complete -c kist -n "__fish_kist_using_subcommand cp" -s L -l follow-link -d 'Always follow symbol link in SRC_PATH'
complete -c kist -n "__fish_kist_using_subcommand cp" -s q -l quiet -d 'Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached'
complete -c kist -n "__fish_kist_using_subcommand create" -l annotation -d 'Add an annotation to the container' -r
complete -c kist -n "__fish_kist_using_subcommand create" -s a -l attach -d 'Attach to STDIN, STDOUT or STDERR' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l blkio-weight -d 'Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l blkio-weight-device -d 'Block IO weight (relative device weight)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l cap-add -d 'Add Linux capabilities' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l cap-drop -d 'Drop Linux capabilities' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l cgroup-parent -d 'Optional parent cgroup for the container' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l cgroupns -d 'Cgroup namespace to use (host|private)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l cidfile -d 'Write the container ID to the file' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l cpu-period -d 'Limit CPU CFS (Completely Fair Scheduler) period' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l cpu-quota -d 'Limit CPU CFS (Completely Fair Scheduler) quota' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l cpu-rt-period -d 'Limit CPU real-time period in microseconds' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l cpu-rt-runtime -d 'Limit CPU real-time runtime in microseconds' -r
complete -c kist -n "__fish_kist_using_subcommand create" -s c -l cpu-shares -d 'CPU shares (relative weight)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l cpus -d 'Number of CPUs' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l cpuset-cpus -d 'CPUs in which to allow execution (0-3, 0,1)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l cpuset-mems -d 'MEMs in which to allow execution (0-3, 0,1)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l device -d 'Add a host device to the container' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l device-cgroup-rule -d 'Add a rule to the cgroup allowed devices list' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l device-read-bps -d 'Limit read rate (bytes per second) from a device' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l device-read-iops -d 'Limit read rate (IO per second) from a device' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l device-write-bps -d 'Limit write rate (bytes per second) to a device' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l device-write-iops -d 'Limit write rate (IO per second) to a device' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l entrypoint -d 'Overwrite the default ENTRYPOINT of the image' -r
complete -c kist -n "__fish_kist_using_subcommand create" -s e -l env -d 'Set environment variables' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l env-file -d 'Read in a file of environment variables' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l gpus -d 'GPU devices to add to the container (\'all\' to pass all GPUs)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l group-add -d 'Add additional groups to join' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l health-cmd -d 'Command to run to check health' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l health-interval -d 'Time between running the check (ms|s|m|h) (default 0s)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l health-retries -d 'Consecutive failures needed to report unhealthy' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l health-start-interval -d 'Time between running the check during the start period (ms|s|m|h) (default 0s)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l health-start-period -d 'Start period for the container to initialize before starting health-retries countdown (ms|s|m|h) (default 0s)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l health-timeout -d 'Maximum time to allow one check to run (ms|s|m|h) (default 0s)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l ipc -d 'IPC mode to use' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l isolation -d 'Container isolation technology' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l kernel-memory -d 'Kernel memory limit (no effect: the kernel has it no more)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -s l -l label -d 'Set meta data on a container' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l label-file -d 'Read in a line delimited file of labels' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l log-driver -d 'Logging driver for the container (json-file, none)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l log-opt -d 'Log driver options (max-size, max-file)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -s m -l memory -d 'Memory limit' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l memory-reservation -d 'Memory soft limit' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l memory-swap -d 'Swap limit equal to memory plus swap: \'-1\' to enable unlimited swap' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l memory-swappiness -d 'Tune container memory swappiness (0 to 100) (default -1)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l mount -d 'Attach a filesystem mount to the container' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l name -d 'Assign a name to the container' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l oom-score-adj -d 'Tune host\'s OOM preferences (-1000 to 1000)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l pid -d 'PID namespace to use' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l pids-limit -d 'Tune container pids limit (set -1 for unlimited)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l platform -d 'Set platform if server is multi-platform capable' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l pull -d 'Pull image before running ("always", "missing", "never") (default "missing")' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l restart -d 'Restart policy to apply when a container exits (default "no")' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l runtime -d 'Runtime to use for this container' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l security-opt -d 'Security Options' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l shm-size -d 'Size of /dev/shm' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l stop-signal -d 'Signal to stop the container' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l stop-timeout -d 'Timeout (in seconds) to stop a container' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l storage-opt -d 'Storage driver options for the container' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l sysctl -d 'Sysctl options' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l timens -d 'Private time namespace: monotonic=SECONDS,boottime=SECONDS' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l tmpfs -d 'Mount a tmpfs directory' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l ulimit -d 'Ulimit options' -r
complete -c kist -n "__fish_kist_using_subcommand create" -s u -l user -d 'Username or UID (format: <name|uid>[:<group|gid>])' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l userns -d 'User namespace to use (host|private|container:NAME)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l uts -d 'UTS namespace to use' -r
complete -c kist -n "__fish_kist_using_subcommand create" -s v -l volume -d 'Bind mount a volume' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l volume-driver -d 'Optional volume driver for the container' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l volumes-from -d 'Mount volumes from the specified container(s)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -s w -l workdir -d 'Working directory inside the container' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l add-host -d 'Add a custom host-to-IP mapping (host:ip)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l dns -d 'Set custom DNS servers' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l dns-opt -d '' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l dns-option -d 'Set DNS options' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l dns-search -d 'Set custom DNS search domains' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l domainname -d 'Container NIS domain name' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l egress -d 'Who may be spoken to outside: "none", or "allow=" and addresses, ranges and names (*.example.com), parted by commas' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l expose -d 'Expose a port or a range of ports' -r
complete -c kist -n "__fish_kist_using_subcommand create" -s h -l hostname -d 'Container host name' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l ip -d 'IPv4 address (e.g., 172.30.100.104)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l ip6 -d 'IPv6 address (e.g., 2001:db8::33)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l link -d 'Add link to another container' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l link-local-ip -d 'Container IPv4/IPv6 link-local addresses' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l mac-address -d 'Container MAC address (e.g., 92:d0:c6:0a:29:33)' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l net -d '' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l net-alias -d '' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l network -d 'Connect a container to a network' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l network-alias -d 'Add network-scoped alias for the container' -r
complete -c kist -n "__fish_kist_using_subcommand create" -s p -l publish -d 'Publish a container\'s port(s) to the host' -r
complete -c kist -n "__fish_kist_using_subcommand create" -l help
complete -c kist -n "__fish_kist_using_subcommand create" -l disable-content-trust -d 'Skip image verification (default true)'
complete -c kist -n "__fish_kist_using_subcommand create" -l init -d 'Run an init inside the container that forwards signals and reaps processes'
complete -c kist -n "__fish_kist_using_subcommand create" -s i -l interactive -d 'Keep STDIN open even if not attached'
complete -c kist -n "__fish_kist_using_subcommand create" -l no-healthcheck -d 'Disable any container-specified HEALTHCHECK'
complete -c kist -n "__fish_kist_using_subcommand create" -l oom-kill-disable -d 'Disable OOM Killer'
complete -c kist -n "__fish_kist_using_subcommand create" -l privileged -d 'Give extended privileges to this container'
complete -c kist -n "__fish_kist_using_subcommand create" -s q -l quiet -d 'Suppress the pull output'
complete -c kist -n "__fish_kist_using_subcommand create" -l read-only -d 'Mount the container\'s root filesystem as read only'
complete -c kist -n "__fish_kist_using_subcommand create" -l rm -d 'Automatically remove the container and its associated anonymous volumes when it exits'
complete -c kist -n "__fish_kist_using_subcommand create" -s t -l tty -d 'Allocate a pseudo-TTY'
complete -c kist -n "__fish_kist_using_subcommand create" -s P -l publish-all -d 'Publish all exposed ports to random ports'
complete -c kist -n "__fish_kist_using_subcommand diff" -l help
complete -c kist -n "__fish_kist_using_subcommand diff" -s h
complete -c kist -n "__fish_kist_using_subcommand events" -s f -l filter -d 'Filter output based on conditions provided' -r
complete -c kist -n "__fish_kist_using_subcommand events" -l format -d 'Format output using a custom template: \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand events" -l since -d 'Show all events created since timestamp' -r
complete -c kist -n "__fish_kist_using_subcommand events" -l until -d 'Stream events until this timestamp' -r
complete -c kist -n "__fish_kist_using_subcommand events" -l help
complete -c kist -n "__fish_kist_using_subcommand events" -s h
complete -c kist -n "__fish_kist_using_subcommand export" -s o -l output -d 'Write to a file, instead of STDOUT' -r
complete -c kist -n "__fish_kist_using_subcommand export" -l help
complete -c kist -n "__fish_kist_using_subcommand export" -s h
complete -c kist -n "__fish_kist_using_subcommand history" -l format -d 'Format output using a custom template: \'table\':            Print output in table format with column headers (default) \'table TEMPLATE\':   Print output in table format using the given Go template \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand history" -l platform -d 'Show history for the given platform. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")' -r
complete -c kist -n "__fish_kist_using_subcommand history" -l help
complete -c kist -n "__fish_kist_using_subcommand history" -s h
complete -c kist -n "__fish_kist_using_subcommand history" -s H -l human -d 'Print sizes and dates in human readable format (default true)'
complete -c kist -n "__fish_kist_using_subcommand history" -l no-trunc -d 'Don\'t truncate output'
complete -c kist -n "__fish_kist_using_subcommand history" -s q -l quiet -d 'Only show image IDs'
complete -c kist -n "__fish_kist_using_subcommand import" -s c -l change -d 'Apply Dockerfile instruction to the created image' -r
complete -c kist -n "__fish_kist_using_subcommand import" -s m -l message -d 'Set commit message for imported image' -r
complete -c kist -n "__fish_kist_using_subcommand import" -l platform -d 'Set platform if server is multi-platform capable' -r
complete -c kist -n "__fish_kist_using_subcommand import" -l help
complete -c kist -n "__fish_kist_using_subcommand import" -s h
complete -c kist -n "__fish_kist_using_subcommand inspect" -s f -l format -d 'Format output using a custom template: \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand inspect" -l type -d 'Only inspect objects of the given type' -r
complete -c kist -n "__fish_kist_using_subcommand inspect" -l help
complete -c kist -n "__fish_kist_using_subcommand inspect" -s h
complete -c kist -n "__fish_kist_using_subcommand inspect" -s s -l size -d 'Display total file sizes if the type is container'
complete -c kist -n "__fish_kist_using_subcommand kill" -s s -l signal -d 'Signal to send to the container' -r
complete -c kist -n "__fish_kist_using_subcommand kill" -l help
complete -c kist -n "__fish_kist_using_subcommand kill" -s h
complete -c kist -n "__fish_kist_using_subcommand load" -s i -l input -d 'Read from tar archive file, instead of STDIN' -r
complete -c kist -n "__fish_kist_using_subcommand load" -l platform -d 'Load only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")' -r
complete -c kist -n "__fish_kist_using_subcommand load" -l help
complete -c kist -n "__fish_kist_using_subcommand load" -s h
complete -c kist -n "__fish_kist_using_subcommand load" -s q -l quiet -d 'Suppress the load output'
complete -c kist -n "__fish_kist_using_subcommand logs" -l since -d 'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)' -r
complete -c kist -n "__fish_kist_using_subcommand logs" -s n -l tail -d 'Number of lines to show from the end of the logs (default "all")' -r
complete -c kist -n "__fish_kist_using_subcommand logs" -l until -d 'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)' -r
complete -c kist -n "__fish_kist_using_subcommand logs" -l help
complete -c kist -n "__fish_kist_using_subcommand logs" -s h
complete -c kist -n "__fish_kist_using_subcommand logs" -l details -d 'Show extra details provided to logs'
complete -c kist -n "__fish_kist_using_subcommand logs" -s f -l follow -d 'Follow log output'
complete -c kist -n "__fish_kist_using_subcommand logs" -l network -d 'Show what the egress policy of the container refused: names, and connections of the last hour'
complete -c kist -n "__fish_kist_using_subcommand logs" -s t -l timestamps -d 'Show timestamps'
complete -c kist -n "__fish_kist_using_subcommand pause" -l help
complete -c kist -n "__fish_kist_using_subcommand pause" -s h
complete -c kist -n "__fish_kist_using_subcommand port" -l help
complete -c kist -n "__fish_kist_using_subcommand port" -s h
complete -c kist -n "__fish_kist_using_subcommand rename" -l help
complete -c kist -n "__fish_kist_using_subcommand rename" -s h
complete -c kist -n "__fish_kist_using_subcommand restart" -s s -l signal -d 'Signal to send to the container' -r
complete -c kist -n "__fish_kist_using_subcommand restart" -s t -l timeout -d 'Seconds to wait before killing the container' -r
complete -c kist -n "__fish_kist_using_subcommand restart" -l time -d '' -r
complete -c kist -n "__fish_kist_using_subcommand restart" -l help
complete -c kist -n "__fish_kist_using_subcommand restart" -s h
complete -c kist -n "__fish_kist_using_subcommand rm" -l help
complete -c kist -n "__fish_kist_using_subcommand rm" -s h
complete -c kist -n "__fish_kist_using_subcommand rm" -s f -l force -d 'Force the removal of a running container (uses SIGKILL)'
complete -c kist -n "__fish_kist_using_subcommand rm" -s l -l link -d 'Remove the specified link'
complete -c kist -n "__fish_kist_using_subcommand rm" -s v -l volumes -d 'Remove anonymous volumes associated with the container'
complete -c kist -n "__fish_kist_using_subcommand rmi" -l platform -d 'Remove only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")' -r
complete -c kist -n "__fish_kist_using_subcommand rmi" -l help
complete -c kist -n "__fish_kist_using_subcommand rmi" -s h
complete -c kist -n "__fish_kist_using_subcommand rmi" -s f -l force -d 'Force removal of the image'
complete -c kist -n "__fish_kist_using_subcommand rmi" -l no-prune -d 'Do not delete untagged parents'
complete -c kist -n "__fish_kist_using_subcommand save" -s o -l output -d 'Write to a file, instead of STDOUT' -r
complete -c kist -n "__fish_kist_using_subcommand save" -l platform -d 'Save only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")' -r
complete -c kist -n "__fish_kist_using_subcommand save" -l help
complete -c kist -n "__fish_kist_using_subcommand save" -s h
complete -c kist -n "__fish_kist_using_subcommand start" -l detach-keys -d 'Override the key sequence for detaching a container' -r
complete -c kist -n "__fish_kist_using_subcommand start" -l help
complete -c kist -n "__fish_kist_using_subcommand start" -s h
complete -c kist -n "__fish_kist_using_subcommand start" -s a -l attach -d 'Attach STDOUT/STDERR and forward signals'
complete -c kist -n "__fish_kist_using_subcommand start" -s i -l interactive -d 'Attach container\'s STDIN'
complete -c kist -n "__fish_kist_using_subcommand stats" -l format -d 'Format output using a custom template: \'table\':            Print output in table format with column headers (default) \'table TEMPLATE\':   Print output in table format using the given Go template \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand stats" -l help
complete -c kist -n "__fish_kist_using_subcommand stats" -s h
complete -c kist -n "__fish_kist_using_subcommand stats" -s a -l all -d 'Show all containers (default shows just running)'
complete -c kist -n "__fish_kist_using_subcommand stats" -l no-stream -d 'Disable streaming stats and only pull the first result'
complete -c kist -n "__fish_kist_using_subcommand stats" -l no-trunc -d 'Do not truncate output'
complete -c kist -n "__fish_kist_using_subcommand stop" -s s -l signal -d 'Signal to send to the container' -r
complete -c kist -n "__fish_kist_using_subcommand stop" -s t -l timeout -d 'Seconds to wait before killing the container' -r
complete -c kist -n "__fish_kist_using_subcommand stop" -l time -d '' -r
complete -c kist -n "__fish_kist_using_subcommand stop" -l help
complete -c kist -n "__fish_kist_using_subcommand stop" -s h
complete -c kist -n "__fish_kist_using_subcommand tag" -l help
complete -c kist -n "__fish_kist_using_subcommand tag" -s h
complete -c kist -n "__fish_kist_using_subcommand top" -l help
complete -c kist -n "__fish_kist_using_subcommand top" -s h
complete -c kist -n "__fish_kist_using_subcommand unpause" -l help
complete -c kist -n "__fish_kist_using_subcommand unpause" -s h
complete -c kist -n "__fish_kist_using_subcommand update" -l blkio-weight -d 'Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)' -r
complete -c kist -n "__fish_kist_using_subcommand update" -l cpu-period -d 'Limit CPU CFS (Completely Fair Scheduler) period' -r
complete -c kist -n "__fish_kist_using_subcommand update" -l cpu-quota -d 'Limit CPU CFS (Completely Fair Scheduler) quota' -r
complete -c kist -n "__fish_kist_using_subcommand update" -l cpu-rt-period -d 'Limit the CPU real-time period in microseconds' -r
complete -c kist -n "__fish_kist_using_subcommand update" -l cpu-rt-runtime -d 'Limit the CPU real-time runtime in microseconds' -r
complete -c kist -n "__fish_kist_using_subcommand update" -s c -l cpu-shares -d 'CPU shares (relative weight)' -r
complete -c kist -n "__fish_kist_using_subcommand update" -l cpus -d 'Number of CPUs' -r
complete -c kist -n "__fish_kist_using_subcommand update" -l cpuset-cpus -d 'CPUs in which to allow execution (0-3, 0,1)' -r
complete -c kist -n "__fish_kist_using_subcommand update" -l cpuset-mems -d 'MEMs in which to allow execution (0-3, 0,1)' -r
complete -c kist -n "__fish_kist_using_subcommand update" -s m -l memory -d 'Memory limit' -r
complete -c kist -n "__fish_kist_using_subcommand update" -l memory-reservation -d 'Memory soft limit' -r
complete -c kist -n "__fish_kist_using_subcommand update" -l memory-swap -d 'Swap limit equal to memory plus swap: -1 to enable unlimited swap' -r
complete -c kist -n "__fish_kist_using_subcommand update" -l pids-limit -d 'Tune container pids limit (set -1 for unlimited)' -r
complete -c kist -n "__fish_kist_using_subcommand update" -l restart -d 'Restart policy to apply when a container exits' -r
complete -c kist -n "__fish_kist_using_subcommand update" -l help
complete -c kist -n "__fish_kist_using_subcommand update" -s h
complete -c kist -n "__fish_kist_using_subcommand wait" -l help
complete -c kist -n "__fish_kist_using_subcommand wait" -s h
complete -c kist -n "__fish_kist_using_subcommand builder; and not __fish_seen_subcommand_from build du prune" -f -a "build" -d 'Build an image from a Dockerfile'
complete -c kist -n "__fish_kist_using_subcommand builder; and not __fish_seen_subcommand_from build du prune" -f -a "du" -d 'Show disk usage of the build cache'
complete -c kist -n "__fish_kist_using_subcommand builder; and not __fish_seen_subcommand_from build du prune" -f -a "prune" -d 'Remove build cache'
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l add-host -d 'Add a custom host-to-IP mapping (format: "host:ip")' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l allow -d 'Allow extra privileged entitlement (e.g., "network.host", "security.insecure")' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l annotation -d 'Add annotation to the image' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l attest -d 'Attestation parameters (format: "type=sbom,generator=image")' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l build-arg -d 'Set build-time variables' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l build-context -d 'Additional build contexts (e.g., name=path)' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l builder -d 'Override the configured builder instance' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l cache-from -d 'External cache sources (e.g., "user/app:cache", "type=local,src=path/to/dir")' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l cache-to -d 'Cache export destinations (e.g., "user/app:cache", "type=local,dest=path/to/dir")' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l call -d 'Set method for evaluating build ("check", "outline", "targets")' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l cgroup-parent -d 'Set the parent cgroup for the "RUN" instructions during build' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -s f -l file -d 'Name of the Dockerfile (default: "PATH/Dockerfile")' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l iidfile -d 'Write the image ID to a file' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l label -d 'Set metadata for an image' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l metadata-file -d 'Write build result metadata to a file' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l network -d 'Set the networking mode for the "RUN" instructions during build' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l no-cache-filter -d 'Do not cache specified stages' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -s o -l output -d 'Output destination (format: "type=local,dest=path")' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l platform -d 'Set target platform for build' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l print -d '' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l progress -d 'Set type of progress output ("auto", "none", "plain", "quiet", "rawjson", "tty"). Use plain to show container output' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l provenance -d 'Shorthand for "--attest=type=provenance"' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l sbom -d 'Shorthand for "--attest=type=sbom"' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l secret -d 'Secret to expose to the build (format: "id=mysecret[,src=/local/secret]")' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l shm-size -d 'Shared memory size for build containers' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l ssh -d 'SSH agent socket or keys to expose to the build (format: "default|<id>[=<socket>|<key>[,<key>]]")' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -s t -l tag -d 'Image identifier (format: "[registry/]repository[:tag]")' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l target -d 'Set the target build stage to build' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l ulimit -d 'Ulimit options' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l cpu-period -d '' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l cpu-quota -d '' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -s c -l cpu-shares -d '' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l cpuset-cpus -d '' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l cpuset-mems -d '' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l isolation -d '' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -s m -l memory -d '' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l memory-swap -d '' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l policy -d '' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l resource -d '' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l security-opt -d '' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l help
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -s h
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l check -d 'Shorthand for "--call=check"'
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -s D -l debug -d 'Show what each warning is about'
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l load -d 'Shorthand for "--output=type=docker"'
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l no-cache -d 'Do not use cache when building the image'
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l pull -d 'Always attempt to pull all referenced images'
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l push -d 'Shorthand for "--output=type=registry,unpack=false"'
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -s q -l quiet -d 'Suppress the build output and print image ID on success'
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l compress -d ''
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l disable-content-trust -d ' (default true)'
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l force-rm -d ''
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l rm -d ' (default true)'
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from build" -l squash -d ''
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from du" -l builder -d 'Override the configured builder instance' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from du" -l help
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from du" -s h
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from du" -l verbose -d 'Provide a more verbose output'
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from prune" -l builder -d 'Override the configured builder instance' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from prune" -l filter -d 'Provide filter values (e.g. "until=24h")' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from prune" -l keep-storage -d 'Amount of disk space to keep for cache' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from prune" -l max-used-space -d 'Maximum amount of disk space allowed to keep for cache' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from prune" -l min-free-space -d 'Target amount of free disk space after pruning' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from prune" -l reserved-space -d 'Amount of disk space always allowed to keep for cache' -r
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from prune" -l help
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from prune" -s h
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from prune" -s a -l all -d 'Remove all unused build cache, not just dangling ones'
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from prune" -s f -l force -d 'Do not prompt for confirmation'
complete -c kist -n "__fish_kist_using_subcommand builder; and __fish_seen_subcommand_from prune" -l verbose -d 'Provide a more verbose output'
complete -c kist -n "__fish_kist_using_subcommand buildx; and not __fish_seen_subcommand_from build b du prune inspect ls version" -f -a "build" -d 'Build an image from a Dockerfile'
complete -c kist -n "__fish_kist_using_subcommand buildx; and not __fish_seen_subcommand_from build b du prune inspect ls version" -f -a "b" -d 'Build an image from a Dockerfile'
complete -c kist -n "__fish_kist_using_subcommand buildx; and not __fish_seen_subcommand_from build b du prune inspect ls version" -f -a "du" -d 'Show disk usage of the build cache'
complete -c kist -n "__fish_kist_using_subcommand buildx; and not __fish_seen_subcommand_from build b du prune inspect ls version" -f -a "prune" -d 'Remove build cache'
complete -c kist -n "__fish_kist_using_subcommand buildx; and not __fish_seen_subcommand_from build b du prune inspect ls version" -f -a "inspect" -d 'Inspect current builder instance'
complete -c kist -n "__fish_kist_using_subcommand buildx; and not __fish_seen_subcommand_from build b du prune inspect ls version" -f -a "ls" -d 'List builder instances'
complete -c kist -n "__fish_kist_using_subcommand buildx; and not __fish_seen_subcommand_from build b du prune inspect ls version" -f -a "version" -d 'Show buildx version information'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l add-host -d 'Add a custom host-to-IP mapping (format: "host:ip")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l allow -d 'Allow extra privileged entitlement (e.g., "network.host", "security.insecure")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l annotation -d 'Add annotation to the image' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l attest -d 'Attestation parameters (format: "type=sbom,generator=image")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l build-arg -d 'Set build-time variables' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l build-context -d 'Additional build contexts (e.g., name=path)' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l builder -d 'Override the configured builder instance' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l cache-from -d 'External cache sources (e.g., "user/app:cache", "type=local,src=path/to/dir")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l cache-to -d 'Cache export destinations (e.g., "user/app:cache", "type=local,dest=path/to/dir")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l call -d 'Set method for evaluating build ("check", "outline", "targets")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l cgroup-parent -d 'Set the parent cgroup for the "RUN" instructions during build' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -s f -l file -d 'Name of the Dockerfile (default: "PATH/Dockerfile")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l iidfile -d 'Write the image ID to a file' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l label -d 'Set metadata for an image' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l metadata-file -d 'Write build result metadata to a file' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l network -d 'Set the networking mode for the "RUN" instructions during build' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l no-cache-filter -d 'Do not cache specified stages' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -s o -l output -d 'Output destination (format: "type=local,dest=path")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l platform -d 'Set target platform for build' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l print -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l progress -d 'Set type of progress output ("auto", "none", "plain", "quiet", "rawjson", "tty"). Use plain to show container output' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l provenance -d 'Shorthand for "--attest=type=provenance"' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l sbom -d 'Shorthand for "--attest=type=sbom"' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l secret -d 'Secret to expose to the build (format: "id=mysecret[,src=/local/secret]")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l shm-size -d 'Shared memory size for build containers' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l ssh -d 'SSH agent socket or keys to expose to the build (format: "default|<id>[=<socket>|<key>[,<key>]]")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -s t -l tag -d 'Image identifier (format: "[registry/]repository[:tag]")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l target -d 'Set the target build stage to build' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l ulimit -d 'Ulimit options' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l cpu-period -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l cpu-quota -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -s c -l cpu-shares -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l cpuset-cpus -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l cpuset-mems -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l isolation -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -s m -l memory -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l memory-swap -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l policy -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l resource -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l security-opt -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l help
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -s h
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l check -d 'Shorthand for "--call=check"'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -s D -l debug -d 'Show what each warning is about'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l load -d 'Shorthand for "--output=type=docker"'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l no-cache -d 'Do not use cache when building the image'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l pull -d 'Always attempt to pull all referenced images'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l push -d 'Shorthand for "--output=type=registry,unpack=false"'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -s q -l quiet -d 'Suppress the build output and print image ID on success'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l compress -d ''
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l disable-content-trust -d ' (default true)'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l force-rm -d ''
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l rm -d ' (default true)'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from build" -l squash -d ''
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l add-host -d 'Add a custom host-to-IP mapping (format: "host:ip")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l allow -d 'Allow extra privileged entitlement (e.g., "network.host", "security.insecure")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l annotation -d 'Add annotation to the image' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l attest -d 'Attestation parameters (format: "type=sbom,generator=image")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l build-arg -d 'Set build-time variables' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l build-context -d 'Additional build contexts (e.g., name=path)' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l builder -d 'Override the configured builder instance' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l cache-from -d 'External cache sources (e.g., "user/app:cache", "type=local,src=path/to/dir")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l cache-to -d 'Cache export destinations (e.g., "user/app:cache", "type=local,dest=path/to/dir")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l call -d 'Set method for evaluating build ("check", "outline", "targets")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l cgroup-parent -d 'Set the parent cgroup for the "RUN" instructions during build' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -s f -l file -d 'Name of the Dockerfile (default: "PATH/Dockerfile")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l iidfile -d 'Write the image ID to a file' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l label -d 'Set metadata for an image' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l metadata-file -d 'Write build result metadata to a file' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l network -d 'Set the networking mode for the "RUN" instructions during build' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l no-cache-filter -d 'Do not cache specified stages' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -s o -l output -d 'Output destination (format: "type=local,dest=path")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l platform -d 'Set target platform for build' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l print -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l progress -d 'Set type of progress output ("auto", "none", "plain", "quiet", "rawjson", "tty"). Use plain to show container output' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l provenance -d 'Shorthand for "--attest=type=provenance"' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l sbom -d 'Shorthand for "--attest=type=sbom"' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l secret -d 'Secret to expose to the build (format: "id=mysecret[,src=/local/secret]")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l shm-size -d 'Shared memory size for build containers' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l ssh -d 'SSH agent socket or keys to expose to the build (format: "default|<id>[=<socket>|<key>[,<key>]]")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -s t -l tag -d 'Image identifier (format: "[registry/]repository[:tag]")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l target -d 'Set the target build stage to build' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l ulimit -d 'Ulimit options' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l cpu-period -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l cpu-quota -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -s c -l cpu-shares -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l cpuset-cpus -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l cpuset-mems -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l isolation -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -s m -l memory -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l memory-swap -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l policy -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l resource -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l security-opt -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l help
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -s h
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l check -d 'Shorthand for "--call=check"'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -s D -l debug -d 'Show what each warning is about'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l load -d 'Shorthand for "--output=type=docker"'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l no-cache -d 'Do not use cache when building the image'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l pull -d 'Always attempt to pull all referenced images'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l push -d 'Shorthand for "--output=type=registry,unpack=false"'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -s q -l quiet -d 'Suppress the build output and print image ID on success'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l compress -d ''
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l disable-content-trust -d ' (default true)'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l force-rm -d ''
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l rm -d ' (default true)'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from b" -l squash -d ''
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from du" -l builder -d 'Override the configured builder instance' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from du" -l help
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from du" -s h
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from du" -l verbose -d 'Provide a more verbose output'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from prune" -l builder -d 'Override the configured builder instance' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from prune" -l filter -d 'Provide filter values (e.g. "until=24h")' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from prune" -l keep-storage -d 'Amount of disk space to keep for cache' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from prune" -l max-used-space -d 'Maximum amount of disk space allowed to keep for cache' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from prune" -l min-free-space -d 'Target amount of free disk space after pruning' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from prune" -l reserved-space -d 'Amount of disk space always allowed to keep for cache' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from prune" -l help
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from prune" -s h
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from prune" -s a -l all -d 'Remove all unused build cache, not just dangling ones'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from prune" -s f -l force -d 'Do not prompt for confirmation'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from prune" -l verbose -d 'Provide a more verbose output'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from inspect" -l help
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from inspect" -s h
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from inspect" -l bootstrap -d 'Ensure builder has booted before inspecting'
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from ls" -l format -d '' -r
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from ls" -l help
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from ls" -s h
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from ls" -l no-trunc -d ''
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from version" -l help
complete -c kist -n "__fish_kist_using_subcommand buildx; and __fish_seen_subcommand_from version" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "run" -d 'Create and run a new container from an image'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "exec" -d 'Execute a command in a running container'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "ls" -d 'List containers'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "list" -d 'List containers'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "ps" -d 'List containers'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "attach" -d 'Attach local standard input, output, and error streams to a running container'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "commit" -d 'Create a new image from a container\'s changes'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "cp" -d 'Copy files/folders between a container and the local filesystem'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "create" -d 'Create a new container'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "diff" -d 'Inspect changes to files or directories on a container\'s filesystem'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "export" -d 'Export a container\'s filesystem as a tar archive'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "kill" -d 'Kill one or more running containers'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "logs" -d 'Fetch the logs of a container'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "pause" -d 'Pause all processes within one or more containers'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "port" -d 'List port mappings or a specific mapping for the container'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "rename" -d 'Rename a container'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "restart" -d 'Restart one or more containers'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "rm" -d 'Remove one or more containers'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "remove" -d 'Remove one or more containers'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "start" -d 'Start one or more stopped containers'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "stats" -d 'Display a live stream of container(s) resource usage statistics'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "stop" -d 'Stop one or more running containers'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "top" -d 'Display the running processes of a container'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "unpause" -d 'Unpause all processes within one or more containers'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "update" -d 'Update configuration of one or more containers'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "wait" -d 'Block until one or more containers stop, then print their exit codes'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "inspect" -d 'Display detailed information on one or more containers'
complete -c kist -n "__fish_kist_using_subcommand container; and not __fish_seen_subcommand_from run exec ls list ps attach commit cp create diff export kill logs pause port rename restart rm remove start stats stop top unpause update wait inspect prune" -f -a "prune" -d 'Remove all stopped containers'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l annotation -d 'Add an annotation to the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -s a -l attach -d 'Attach to STDIN, STDOUT or STDERR' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l blkio-weight -d 'Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l blkio-weight-device -d 'Block IO weight (relative device weight)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l cap-add -d 'Add Linux capabilities' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l cap-drop -d 'Drop Linux capabilities' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l cgroup-parent -d 'Optional parent cgroup for the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l cgroupns -d 'Cgroup namespace to use (host|private)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l cidfile -d 'Write the container ID to the file' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l cpu-period -d 'Limit CPU CFS (Completely Fair Scheduler) period' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l cpu-quota -d 'Limit CPU CFS (Completely Fair Scheduler) quota' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l cpu-rt-period -d 'Limit CPU real-time period in microseconds' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l cpu-rt-runtime -d 'Limit CPU real-time runtime in microseconds' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -s c -l cpu-shares -d 'CPU shares (relative weight)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l cpus -d 'Number of CPUs' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l cpuset-cpus -d 'CPUs in which to allow execution (0-3, 0,1)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l cpuset-mems -d 'MEMs in which to allow execution (0-3, 0,1)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l device -d 'Add a host device to the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l device-cgroup-rule -d 'Add a rule to the cgroup allowed devices list' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l device-read-bps -d 'Limit read rate (bytes per second) from a device' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l device-read-iops -d 'Limit read rate (IO per second) from a device' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l device-write-bps -d 'Limit write rate (bytes per second) to a device' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l device-write-iops -d 'Limit write rate (IO per second) to a device' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l entrypoint -d 'Overwrite the default ENTRYPOINT of the image' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -s e -l env -d 'Set environment variables' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l env-file -d 'Read in a file of environment variables' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l gpus -d 'GPU devices to add to the container (\'all\' to pass all GPUs)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l group-add -d 'Add additional groups to join' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l health-cmd -d 'Command to run to check health' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l health-interval -d 'Time between running the check (ms|s|m|h) (default 0s)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l health-retries -d 'Consecutive failures needed to report unhealthy' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l health-start-interval -d 'Time between running the check during the start period (ms|s|m|h) (default 0s)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l health-start-period -d 'Start period for the container to initialize before starting health-retries countdown (ms|s|m|h) (default 0s)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l health-timeout -d 'Maximum time to allow one check to run (ms|s|m|h) (default 0s)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l ipc -d 'IPC mode to use' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l isolation -d 'Container isolation technology' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l kernel-memory -d 'Kernel memory limit (no effect: the kernel has it no more)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -s l -l label -d 'Set meta data on a container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l label-file -d 'Read in a line delimited file of labels' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l log-driver -d 'Logging driver for the container (json-file, none)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l log-opt -d 'Log driver options (max-size, max-file)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -s m -l memory -d 'Memory limit' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l memory-reservation -d 'Memory soft limit' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l memory-swap -d 'Swap limit equal to memory plus swap: \'-1\' to enable unlimited swap' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l memory-swappiness -d 'Tune container memory swappiness (0 to 100) (default -1)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l mount -d 'Attach a filesystem mount to the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l name -d 'Assign a name to the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l oom-score-adj -d 'Tune host\'s OOM preferences (-1000 to 1000)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l pid -d 'PID namespace to use' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l pids-limit -d 'Tune container pids limit (set -1 for unlimited)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l platform -d 'Set platform if server is multi-platform capable' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l pull -d 'Pull image before running ("always", "missing", "never") (default "missing")' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l restart -d 'Restart policy to apply when a container exits (default "no")' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l runtime -d 'Runtime to use for this container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l security-opt -d 'Security Options' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l shm-size -d 'Size of /dev/shm' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l stop-signal -d 'Signal to stop the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l stop-timeout -d 'Timeout (in seconds) to stop a container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l storage-opt -d 'Storage driver options for the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l sysctl -d 'Sysctl options' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l timens -d 'Private time namespace: monotonic=SECONDS,boottime=SECONDS' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l tmpfs -d 'Mount a tmpfs directory' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l ulimit -d 'Ulimit options' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -s u -l user -d 'Username or UID (format: <name|uid>[:<group|gid>])' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l userns -d 'User namespace to use (host|private|container:NAME)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l uts -d 'UTS namespace to use' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -s v -l volume -d 'Bind mount a volume' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l volume-driver -d 'Optional volume driver for the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l volumes-from -d 'Mount volumes from the specified container(s)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -s w -l workdir -d 'Working directory inside the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l add-host -d 'Add a custom host-to-IP mapping (host:ip)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l dns -d 'Set custom DNS servers' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l dns-opt -d '' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l dns-option -d 'Set DNS options' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l dns-search -d 'Set custom DNS search domains' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l domainname -d 'Container NIS domain name' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l egress -d 'Who may be spoken to outside: "none", or "allow=" and addresses, ranges and names (*.example.com), parted by commas' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l expose -d 'Expose a port or a range of ports' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -s h -l hostname -d 'Container host name' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l ip -d 'IPv4 address (e.g., 172.30.100.104)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l ip6 -d 'IPv6 address (e.g., 2001:db8::33)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l link -d 'Add link to another container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l link-local-ip -d 'Container IPv4/IPv6 link-local addresses' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l mac-address -d 'Container MAC address (e.g., 92:d0:c6:0a:29:33)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l net -d '' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l net-alias -d '' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l network -d 'Connect a container to a network' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l network-alias -d 'Add network-scoped alias for the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -s p -l publish -d 'Publish a container\'s port(s) to the host' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l detach-keys -d 'Override the key sequence for detaching a container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l disable-content-trust -d 'Skip image verification (default true)'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l init -d 'Run an init inside the container that forwards signals and reaps processes'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -s i -l interactive -d 'Keep STDIN open even if not attached'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l no-healthcheck -d 'Disable any container-specified HEALTHCHECK'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l oom-kill-disable -d 'Disable OOM Killer'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l privileged -d 'Give extended privileges to this container'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -s q -l quiet -d 'Suppress the pull output'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l read-only -d 'Mount the container\'s root filesystem as read only'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l rm -d 'Automatically remove the container and its associated anonymous volumes when it exits'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -s t -l tty -d 'Allocate a pseudo-TTY'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -s P -l publish-all -d 'Publish all exposed ports to random ports'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -s d -l detach -d 'Run container in background and print container ID'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from run" -l sig-proxy -d 'Proxy received signals to the process (default true)'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from exec" -l detach-keys -d 'Override the key sequence for detaching a container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from exec" -s e -l env -d 'Set environment variables' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from exec" -l env-file -d 'Read in a file of environment variables' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from exec" -s u -l user -d 'Username or UID (format: "<name|uid>[:<group|gid>]")' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from exec" -s w -l workdir -d 'Working directory inside the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from exec" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from exec" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from exec" -s d -l detach -d 'Detached mode: run command in the background'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from exec" -s i -l interactive -d 'Keep STDIN open even if not attached'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from exec" -l privileged -d 'Give extended privileges to the command'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from exec" -s t -l tty -d 'Allocate a pseudo-TTY'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from ls" -s f -l filter -d 'Filter output based on conditions provided' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from ls" -l format -d 'Format output using a custom template: \'table\':            Print output in table format with column headers (default) \'table TEMPLATE\':   Print output in table format using the given Go template \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from ls" -s n -l last -d 'Show n last created containers (includes all states) (default -1)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from ls" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from ls" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from ls" -s a -l all -d 'Show all containers (default shows just running)'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from ls" -s l -l latest -d 'Show the latest created container (includes all states)'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from ls" -l no-trunc -d 'Don\'t truncate output'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'Only display container IDs'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from ls" -s s -l size -d 'Display total file sizes'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from list" -s f -l filter -d 'Filter output based on conditions provided' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from list" -l format -d 'Format output using a custom template: \'table\':            Print output in table format with column headers (default) \'table TEMPLATE\':   Print output in table format using the given Go template \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from list" -s n -l last -d 'Show n last created containers (includes all states) (default -1)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from list" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from list" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from list" -s a -l all -d 'Show all containers (default shows just running)'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from list" -s l -l latest -d 'Show the latest created container (includes all states)'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from list" -l no-trunc -d 'Don\'t truncate output'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Only display container IDs'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from list" -s s -l size -d 'Display total file sizes'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from ps" -s f -l filter -d 'Filter output based on conditions provided' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from ps" -l format -d 'Format output using a custom template: \'table\':            Print output in table format with column headers (default) \'table TEMPLATE\':   Print output in table format using the given Go template \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from ps" -s n -l last -d 'Show n last created containers (includes all states) (default -1)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from ps" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from ps" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from ps" -s a -l all -d 'Show all containers (default shows just running)'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from ps" -s l -l latest -d 'Show the latest created container (includes all states)'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from ps" -l no-trunc -d 'Don\'t truncate output'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from ps" -s q -l quiet -d 'Only display container IDs'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from ps" -s s -l size -d 'Display total file sizes'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from attach" -l detach-keys -d 'Override the key sequence for detaching a container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from attach" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from attach" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from attach" -l no-stdin -d 'Do not attach STDIN'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from attach" -l sig-proxy -d 'Proxy all received signals to the process (default true)'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from commit" -s a -l author -d 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from commit" -s c -l change -d 'Apply Dockerfile instruction to the created image' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from commit" -s m -l message -d 'Commit message' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from commit" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from commit" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from commit" -l no-pause -d 'Disable pausing container during commit'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from commit" -s p -l pause -d 'Pause container during commit (default true)'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from cp" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from cp" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from cp" -s a -l archive -d 'Archive mode (copy all uid/gid information)'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from cp" -s L -l follow-link -d 'Always follow symbol link in SRC_PATH'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from cp" -s q -l quiet -d 'Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l annotation -d 'Add an annotation to the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -s a -l attach -d 'Attach to STDIN, STDOUT or STDERR' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l blkio-weight -d 'Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l blkio-weight-device -d 'Block IO weight (relative device weight)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l cap-add -d 'Add Linux capabilities' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l cap-drop -d 'Drop Linux capabilities' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l cgroup-parent -d 'Optional parent cgroup for the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l cgroupns -d 'Cgroup namespace to use (host|private)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l cidfile -d 'Write the container ID to the file' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l cpu-period -d 'Limit CPU CFS (Completely Fair Scheduler) period' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l cpu-quota -d 'Limit CPU CFS (Completely Fair Scheduler) quota' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l cpu-rt-period -d 'Limit CPU real-time period in microseconds' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l cpu-rt-runtime -d 'Limit CPU real-time runtime in microseconds' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -s c -l cpu-shares -d 'CPU shares (relative weight)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l cpus -d 'Number of CPUs' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l cpuset-cpus -d 'CPUs in which to allow execution (0-3, 0,1)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l cpuset-mems -d 'MEMs in which to allow execution (0-3, 0,1)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l device -d 'Add a host device to the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l device-cgroup-rule -d 'Add a rule to the cgroup allowed devices list' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l device-read-bps -d 'Limit read rate (bytes per second) from a device' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l device-read-iops -d 'Limit read rate (IO per second) from a device' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l device-write-bps -d 'Limit write rate (bytes per second) to a device' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l device-write-iops -d 'Limit write rate (IO per second) to a device' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l entrypoint -d 'Overwrite the default ENTRYPOINT of the image' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -s e -l env -d 'Set environment variables' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l env-file -d 'Read in a file of environment variables' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l gpus -d 'GPU devices to add to the container (\'all\' to pass all GPUs)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l group-add -d 'Add additional groups to join' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l health-cmd -d 'Command to run to check health' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l health-interval -d 'Time between running the check (ms|s|m|h) (default 0s)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l health-retries -d 'Consecutive failures needed to report unhealthy' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l health-start-interval -d 'Time between running the check during the start period (ms|s|m|h) (default 0s)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l health-start-period -d 'Start period for the container to initialize before starting health-retries countdown (ms|s|m|h) (default 0s)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l health-timeout -d 'Maximum time to allow one check to run (ms|s|m|h) (default 0s)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l ipc -d 'IPC mode to use' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l isolation -d 'Container isolation technology' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l kernel-memory -d 'Kernel memory limit (no effect: the kernel has it no more)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -s l -l label -d 'Set meta data on a container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l label-file -d 'Read in a line delimited file of labels' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l log-driver -d 'Logging driver for the container (json-file, none)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l log-opt -d 'Log driver options (max-size, max-file)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -s m -l memory -d 'Memory limit' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l memory-reservation -d 'Memory soft limit' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l memory-swap -d 'Swap limit equal to memory plus swap: \'-1\' to enable unlimited swap' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l memory-swappiness -d 'Tune container memory swappiness (0 to 100) (default -1)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l mount -d 'Attach a filesystem mount to the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l name -d 'Assign a name to the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l oom-score-adj -d 'Tune host\'s OOM preferences (-1000 to 1000)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l pid -d 'PID namespace to use' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l pids-limit -d 'Tune container pids limit (set -1 for unlimited)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l platform -d 'Set platform if server is multi-platform capable' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l pull -d 'Pull image before running ("always", "missing", "never") (default "missing")' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l restart -d 'Restart policy to apply when a container exits (default "no")' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l runtime -d 'Runtime to use for this container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l security-opt -d 'Security Options' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l shm-size -d 'Size of /dev/shm' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l stop-signal -d 'Signal to stop the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l stop-timeout -d 'Timeout (in seconds) to stop a container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l storage-opt -d 'Storage driver options for the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l sysctl -d 'Sysctl options' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l timens -d 'Private time namespace: monotonic=SECONDS,boottime=SECONDS' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l tmpfs -d 'Mount a tmpfs directory' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l ulimit -d 'Ulimit options' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -s u -l user -d 'Username or UID (format: <name|uid>[:<group|gid>])' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l userns -d 'User namespace to use (host|private|container:NAME)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l uts -d 'UTS namespace to use' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -s v -l volume -d 'Bind mount a volume' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l volume-driver -d 'Optional volume driver for the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l volumes-from -d 'Mount volumes from the specified container(s)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -s w -l workdir -d 'Working directory inside the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l add-host -d 'Add a custom host-to-IP mapping (host:ip)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l dns -d 'Set custom DNS servers' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l dns-opt -d '' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l dns-option -d 'Set DNS options' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l dns-search -d 'Set custom DNS search domains' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l domainname -d 'Container NIS domain name' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l egress -d 'Who may be spoken to outside: "none", or "allow=" and addresses, ranges and names (*.example.com), parted by commas' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l expose -d 'Expose a port or a range of ports' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -s h -l hostname -d 'Container host name' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l ip -d 'IPv4 address (e.g., 172.30.100.104)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l ip6 -d 'IPv6 address (e.g., 2001:db8::33)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l link -d 'Add link to another container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l link-local-ip -d 'Container IPv4/IPv6 link-local addresses' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l mac-address -d 'Container MAC address (e.g., 92:d0:c6:0a:29:33)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l net -d '' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l net-alias -d '' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l network -d 'Connect a container to a network' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l network-alias -d 'Add network-scoped alias for the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -s p -l publish -d 'Publish a container\'s port(s) to the host' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l disable-content-trust -d 'Skip image verification (default true)'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l init -d 'Run an init inside the container that forwards signals and reaps processes'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -s i -l interactive -d 'Keep STDIN open even if not attached'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l no-healthcheck -d 'Disable any container-specified HEALTHCHECK'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l oom-kill-disable -d 'Disable OOM Killer'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l privileged -d 'Give extended privileges to this container'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -s q -l quiet -d 'Suppress the pull output'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l read-only -d 'Mount the container\'s root filesystem as read only'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -l rm -d 'Automatically remove the container and its associated anonymous volumes when it exits'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -s t -l tty -d 'Allocate a pseudo-TTY'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from create" -s P -l publish-all -d 'Publish all exposed ports to random ports'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from diff" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from diff" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from export" -s o -l output -d 'Write to a file, instead of STDOUT' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from export" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from export" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from kill" -s s -l signal -d 'Signal to send to the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from kill" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from kill" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from logs" -l since -d 'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from logs" -s n -l tail -d 'Number of lines to show from the end of the logs (default "all")' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from logs" -l until -d 'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from logs" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from logs" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from logs" -l details -d 'Show extra details provided to logs'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from logs" -s f -l follow -d 'Follow log output'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from logs" -l network -d 'Show what the egress policy of the container refused: names, and connections of the last hour'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from logs" -s t -l timestamps -d 'Show timestamps'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from pause" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from pause" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from port" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from port" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from rename" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from rename" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from restart" -s s -l signal -d 'Signal to send to the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from restart" -s t -l timeout -d 'Seconds to wait before killing the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from restart" -l time -d '' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from restart" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from restart" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from rm" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from rm" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from rm" -s f -l force -d 'Force the removal of a running container (uses SIGKILL)'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from rm" -s l -l link -d 'Remove the specified link'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from rm" -s v -l volumes -d 'Remove anonymous volumes associated with the container'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from remove" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from remove" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from remove" -s f -l force -d 'Force the removal of a running container (uses SIGKILL)'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from remove" -s l -l link -d 'Remove the specified link'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from remove" -s v -l volumes -d 'Remove anonymous volumes associated with the container'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from start" -l detach-keys -d 'Override the key sequence for detaching a container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from start" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from start" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from start" -s a -l attach -d 'Attach STDOUT/STDERR and forward signals'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from start" -s i -l interactive -d 'Attach container\'s STDIN'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from stats" -l format -d 'Format output using a custom template: \'table\':            Print output in table format with column headers (default) \'table TEMPLATE\':   Print output in table format using the given Go template \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from stats" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from stats" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from stats" -s a -l all -d 'Show all containers (default shows just running)'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from stats" -l no-stream -d 'Disable streaming stats and only pull the first result'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from stats" -l no-trunc -d 'Do not truncate output'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from stop" -s s -l signal -d 'Signal to send to the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from stop" -s t -l timeout -d 'Seconds to wait before killing the container' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from stop" -l time -d '' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from stop" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from stop" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from top" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from top" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from unpause" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from unpause" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from update" -l blkio-weight -d 'Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from update" -l cpu-period -d 'Limit CPU CFS (Completely Fair Scheduler) period' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from update" -l cpu-quota -d 'Limit CPU CFS (Completely Fair Scheduler) quota' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from update" -l cpu-rt-period -d 'Limit the CPU real-time period in microseconds' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from update" -l cpu-rt-runtime -d 'Limit the CPU real-time runtime in microseconds' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from update" -s c -l cpu-shares -d 'CPU shares (relative weight)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from update" -l cpus -d 'Number of CPUs' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from update" -l cpuset-cpus -d 'CPUs in which to allow execution (0-3, 0,1)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from update" -l cpuset-mems -d 'MEMs in which to allow execution (0-3, 0,1)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from update" -s m -l memory -d 'Memory limit' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from update" -l memory-reservation -d 'Memory soft limit' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from update" -l memory-swap -d 'Swap limit equal to memory plus swap: -1 to enable unlimited swap' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from update" -l pids-limit -d 'Tune container pids limit (set -1 for unlimited)' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from update" -l restart -d 'Restart policy to apply when a container exits' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from update" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from update" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from wait" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from wait" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from inspect" -s f -l format -d 'Format output using a custom template: \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from inspect" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from inspect" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from inspect" -s s -l size -d 'Display total file sizes'
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from prune" -l filter -d 'Provide filter values (e.g. "until=<timestamp>")' -r
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from prune" -l help
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from prune" -s h
complete -c kist -n "__fish_kist_using_subcommand container; and __fish_seen_subcommand_from prune" -s f -l force -d 'Do not prompt for confirmation'
complete -c kist -n "__fish_kist_using_subcommand image; and not __fish_seen_subcommand_from build pull push ls list history import load rm remove save tag inspect prune" -f -a "build" -d 'Build an image from a Dockerfile'
complete -c kist -n "__fish_kist_using_subcommand image; and not __fish_seen_subcommand_from build pull push ls list history import load rm remove save tag inspect prune" -f -a "pull" -d 'Download an image from a registry'
complete -c kist -n "__fish_kist_using_subcommand image; and not __fish_seen_subcommand_from build pull push ls list history import load rm remove save tag inspect prune" -f -a "push" -d 'Upload an image to a registry'
complete -c kist -n "__fish_kist_using_subcommand image; and not __fish_seen_subcommand_from build pull push ls list history import load rm remove save tag inspect prune" -f -a "ls" -d 'List images'
complete -c kist -n "__fish_kist_using_subcommand image; and not __fish_seen_subcommand_from build pull push ls list history import load rm remove save tag inspect prune" -f -a "list" -d 'List images'
complete -c kist -n "__fish_kist_using_subcommand image; and not __fish_seen_subcommand_from build pull push ls list history import load rm remove save tag inspect prune" -f -a "history" -d 'Show the history of an image'
complete -c kist -n "__fish_kist_using_subcommand image; and not __fish_seen_subcommand_from build pull push ls list history import load rm remove save tag inspect prune" -f -a "import" -d 'Import the contents from a tarball to create a filesystem image'
complete -c kist -n "__fish_kist_using_subcommand image; and not __fish_seen_subcommand_from build pull push ls list history import load rm remove save tag inspect prune" -f -a "load" -d 'Load an image from a tar archive or STDIN'
complete -c kist -n "__fish_kist_using_subcommand image; and not __fish_seen_subcommand_from build pull push ls list history import load rm remove save tag inspect prune" -f -a "rm" -d 'Remove one or more images'
complete -c kist -n "__fish_kist_using_subcommand image; and not __fish_seen_subcommand_from build pull push ls list history import load rm remove save tag inspect prune" -f -a "remove" -d 'Remove one or more images'
complete -c kist -n "__fish_kist_using_subcommand image; and not __fish_seen_subcommand_from build pull push ls list history import load rm remove save tag inspect prune" -f -a "save" -d 'Save one or more images to a tar archive (streamed to STDOUT by default)'
complete -c kist -n "__fish_kist_using_subcommand image; and not __fish_seen_subcommand_from build pull push ls list history import load rm remove save tag inspect prune" -f -a "tag" -d 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE'
complete -c kist -n "__fish_kist_using_subcommand image; and not __fish_seen_subcommand_from build pull push ls list history import load rm remove save tag inspect prune" -f -a "inspect" -d 'Display detailed information on one or more images'
complete -c kist -n "__fish_kist_using_subcommand image; and not __fish_seen_subcommand_from build pull push ls list history import load rm remove save tag inspect prune" -f -a "prune" -d 'Remove unused images'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l add-host -d 'Add a custom host-to-IP mapping (format: "host:ip")' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l allow -d 'Allow extra privileged entitlement (e.g., "network.host", "security.insecure")' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l annotation -d 'Add annotation to the image' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l attest -d 'Attestation parameters (format: "type=sbom,generator=image")' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l build-arg -d 'Set build-time variables' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l build-context -d 'Additional build contexts (e.g., name=path)' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l builder -d 'Override the configured builder instance' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l cache-from -d 'External cache sources (e.g., "user/app:cache", "type=local,src=path/to/dir")' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l cache-to -d 'Cache export destinations (e.g., "user/app:cache", "type=local,dest=path/to/dir")' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l call -d 'Set method for evaluating build ("check", "outline", "targets")' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l cgroup-parent -d 'Set the parent cgroup for the "RUN" instructions during build' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -s f -l file -d 'Name of the Dockerfile (default: "PATH/Dockerfile")' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l iidfile -d 'Write the image ID to a file' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l label -d 'Set metadata for an image' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l metadata-file -d 'Write build result metadata to a file' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l network -d 'Set the networking mode for the "RUN" instructions during build' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l no-cache-filter -d 'Do not cache specified stages' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -s o -l output -d 'Output destination (format: "type=local,dest=path")' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l platform -d 'Set target platform for build' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l print -d '' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l progress -d 'Set type of progress output ("auto", "none", "plain", "quiet", "rawjson", "tty"). Use plain to show container output' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l provenance -d 'Shorthand for "--attest=type=provenance"' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l sbom -d 'Shorthand for "--attest=type=sbom"' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l secret -d 'Secret to expose to the build (format: "id=mysecret[,src=/local/secret]")' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l shm-size -d 'Shared memory size for build containers' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l ssh -d 'SSH agent socket or keys to expose to the build (format: "default|<id>[=<socket>|<key>[,<key>]]")' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -s t -l tag -d 'Image identifier (format: "[registry/]repository[:tag]")' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l target -d 'Set the target build stage to build' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l ulimit -d 'Ulimit options' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l cpu-period -d '' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l cpu-quota -d '' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -s c -l cpu-shares -d '' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l cpuset-cpus -d '' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l cpuset-mems -d '' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l isolation -d '' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -s m -l memory -d '' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l memory-swap -d '' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l policy -d '' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l resource -d '' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l security-opt -d '' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l help
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -s h
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l check -d 'Shorthand for "--call=check"'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -s D -l debug -d 'Show what each warning is about'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l load -d 'Shorthand for "--output=type=docker"'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l no-cache -d 'Do not use cache when building the image'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l pull -d 'Always attempt to pull all referenced images'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l push -d 'Shorthand for "--output=type=registry,unpack=false"'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -s q -l quiet -d 'Suppress the build output and print image ID on success'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l compress -d ''
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l disable-content-trust -d ' (default true)'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l force-rm -d ''
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l rm -d ' (default true)'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from build" -l squash -d ''
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from pull" -l platform -d 'Set platform if server is multi-platform capable' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from pull" -l help
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from pull" -s h
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from pull" -s a -l all-tags -d 'Download all tagged images in the repository'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from pull" -l disable-content-trust -d 'Skip image verification (default true)'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from pull" -s q -l quiet -d 'Suppress verbose output'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from push" -l platform -d 'Push only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from push" -l help
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from push" -s h
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from push" -s a -l all-tags -d 'Push all tags of an image to the repository'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from push" -l disable-content-trust -d 'Skip image verification (default true)'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from push" -s q -l quiet -d 'Suppress verbose output'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from ls" -s f -l filter -d 'Filter output based on conditions provided' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from ls" -l format -d 'Format output using a custom template: \'table\':            Print output in table format with column headers (default) \'table TEMPLATE\':   Print output in table format using the given Go template \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from ls" -l help
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from ls" -s h
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from ls" -s a -l all -d 'Show all images (default hides intermediate images)'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from ls" -l digests -d 'Show digests'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from ls" -l no-trunc -d 'Don\'t truncate output'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'Only show image IDs'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from list" -s f -l filter -d 'Filter output based on conditions provided' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from list" -l format -d 'Format output using a custom template: \'table\':            Print output in table format with column headers (default) \'table TEMPLATE\':   Print output in table format using the given Go template \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from list" -l help
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from list" -s h
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from list" -s a -l all -d 'Show all images (default hides intermediate images)'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from list" -l digests -d 'Show digests'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from list" -l no-trunc -d 'Don\'t truncate output'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Only show image IDs'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from history" -l format -d 'Format output using a custom template: \'table\':            Print output in table format with column headers (default) \'table TEMPLATE\':   Print output in table format using the given Go template \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from history" -l platform -d 'Show history for the given platform. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from history" -l help
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from history" -s h
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from history" -s H -l human -d 'Print sizes and dates in human readable format (default true)'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from history" -l no-trunc -d 'Don\'t truncate output'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from history" -s q -l quiet -d 'Only show image IDs'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from import" -s c -l change -d 'Apply Dockerfile instruction to the created image' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from import" -s m -l message -d 'Set commit message for imported image' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from import" -l platform -d 'Set platform if server is multi-platform capable' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from import" -l help
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from import" -s h
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from load" -s i -l input -d 'Read from tar archive file, instead of STDIN' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from load" -l platform -d 'Load only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from load" -l help
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from load" -s h
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from load" -s q -l quiet -d 'Suppress the load output'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from rm" -l platform -d 'Remove only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from rm" -l help
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from rm" -s h
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from rm" -s f -l force -d 'Force removal of the image'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from rm" -l no-prune -d 'Do not delete untagged parents'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from remove" -l platform -d 'Remove only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from remove" -l help
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from remove" -s h
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from remove" -s f -l force -d 'Force removal of the image'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from remove" -l no-prune -d 'Do not delete untagged parents'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from save" -s o -l output -d 'Write to a file, instead of STDOUT' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from save" -l platform -d 'Save only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from save" -l help
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from save" -s h
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from tag" -l help
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from tag" -s h
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from inspect" -s f -l format -d 'Format output using a custom template: \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from inspect" -l platform -d 'Inspect a specific platform of the multi-platform image. An image that is here must be for it. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from inspect" -l help
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from inspect" -s h
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from inspect" -l remote -d 'Ask the registry, without pulling; the size is then that of the compressed layers'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from prune" -l filter -d 'Provide filter values (e.g. "until=<timestamp>")' -r
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from prune" -l help
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from prune" -s h
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from prune" -s a -l all -d 'Remove all unused images, not just dangling ones'
complete -c kist -n "__fish_kist_using_subcommand image; and __fish_seen_subcommand_from prune" -s f -l force -d 'Do not prompt for confirmation'
complete -c kist -n "__fish_kist_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect inspect ls list prune reload rm remove" -f -a "connect" -d 'Connect a container to a network'
complete -c kist -n "__fish_kist_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect inspect ls list prune reload rm remove" -f -a "create" -d 'Create a network'
complete -c kist -n "__fish_kist_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect inspect ls list prune reload rm remove" -f -a "disconnect" -d 'Disconnect a container from a network'
complete -c kist -n "__fish_kist_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect inspect ls list prune reload rm remove" -f -a "inspect" -d 'Display detailed information on one or more networks'
complete -c kist -n "__fish_kist_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect inspect ls list prune reload rm remove" -f -a "ls" -d 'List networks'
complete -c kist -n "__fish_kist_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect inspect ls list prune reload rm remove" -f -a "list" -d 'List networks'
complete -c kist -n "__fish_kist_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect inspect ls list prune reload rm remove" -f -a "prune" -d 'Remove all unused networks'
complete -c kist -n "__fish_kist_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect inspect ls list prune reload rm remove" -f -a "reload" -d 'Make the firewall rules of all networks anew, from what runs'
complete -c kist -n "__fish_kist_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect inspect ls list prune reload rm remove" -f -a "rm" -d 'Remove one or more networks'
complete -c kist -n "__fish_kist_using_subcommand network; and not __fish_seen_subcommand_from connect create disconnect inspect ls list prune reload rm remove" -f -a "remove" -d 'Remove one or more networks'
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from connect" -l alias -d 'Add network-scoped alias for the container' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from connect" -l driver-opt -d 'driver options for the network' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from connect" -l gw-priority -d 'Highest gw-priority provides the default gateway. Accepts positive and negative values.' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from connect" -l ip -d 'IPv4 address (e.g., "172.30.100.104")' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from connect" -l ip6 -d 'IPv6 address (e.g., "2001:db8::33")' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from connect" -l link -d 'Add link to another container' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from connect" -l link-local-ip -d '' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from connect" -l help
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from connect" -s h
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from create" -l aux-address -d 'Auxiliary IPv4 or IPv6 addresses used by Network driver' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from create" -l config-from -d '' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from create" -s d -l driver -d 'Driver to manage the Network (default "bridge")' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from create" -l egress -d 'Who may be spoken to outside: "none", or "allow=" and addresses, ranges and names (*.example.com), parted by commas' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from create" -l gateway -d 'IPv4 or IPv6 Gateway for the master subnet' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from create" -l ip-range -d 'Allocate container ip from a sub-range' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from create" -l ipam-driver -d 'IP Address Management Driver (default "default")' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from create" -l ipam-opt -d '' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from create" -l label -d 'Set metadata on a network' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from create" -s o -l opt -d 'Set driver specific options' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from create" -l scope -d 'Control the network\'s scope' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from create" -l subnet -d 'Subnet in CIDR format that represents a network segment' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from create" -l help
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from create" -s h
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from create" -l attachable -d 'Enable manual container attachment'
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from create" -l config-only -d ''
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from create" -l ingress -d ''
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from create" -l internal -d 'Restrict external access to the network'
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from create" -l ipv4 -d 'Enable or disable IPv4 address assignment (default true)'
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from create" -l ipv6 -d 'Enable or disable IPv6 address assignment'
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from disconnect" -l help
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from disconnect" -s h
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from disconnect" -s f -l force -d 'Force the container to disconnect from a network'
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from inspect" -s f -l format -d 'Format output using a custom template: \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from inspect" -l help
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from inspect" -s h
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from inspect" -s v -l verbose -d 'Verbose output for diagnostics'
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from ls" -s f -l filter -d 'Provide filter values (e.g. "driver=bridge")' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from ls" -l format -d 'Format output using a custom template: \'table\':            Print output in table format with column headers (default) \'table TEMPLATE\':   Print output in table format using the given Go template \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from ls" -l help
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from ls" -s h
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from ls" -l no-trunc -d 'Do not truncate the output'
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'Only display network IDs'
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from list" -s f -l filter -d 'Provide filter values (e.g. "driver=bridge")' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from list" -l format -d 'Format output using a custom template: \'table\':            Print output in table format with column headers (default) \'table TEMPLATE\':   Print output in table format using the given Go template \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from list" -l help
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from list" -s h
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from list" -l no-trunc -d 'Do not truncate the output'
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Only display network IDs'
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from prune" -l filter -d 'Provide filter values (e.g. "until=<timestamp>")' -r
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from prune" -l help
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from prune" -s h
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from prune" -s f -l force -d 'Do not prompt for confirmation'
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from reload" -l help
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from reload" -s h
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from rm" -l help
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from rm" -s h
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from rm" -s f -l force -d 'Do not error if the network does not exist'
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from remove" -l help
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from remove" -s h
complete -c kist -n "__fish_kist_using_subcommand network; and __fish_seen_subcommand_from remove" -s f -l force -d 'Do not error if the network does not exist'
complete -c kist -n "__fish_kist_using_subcommand registry; and not __fish_seen_subcommand_from serve" -f -a "serve" -d 'Serve images as a registry, in the foreground'
complete -c kist -n "__fish_kist_using_subcommand registry; and __fish_seen_subcommand_from serve" -l htpasswd -d 'Let in only the users of this file (made with htpasswd -B)' -r
complete -c kist -n "__fish_kist_using_subcommand registry; and __fish_seen_subcommand_from serve" -l listen -d 'Host and port to listen on (default "127.0.0.1:5000")' -r
complete -c kist -n "__fish_kist_using_subcommand registry; and __fish_seen_subcommand_from serve" -l proxy -d 'Serve another registry\'s images: fetch from it what is not here, and keep it' -r
complete -c kist -n "__fish_kist_using_subcommand registry; and __fish_seen_subcommand_from serve" -l storage -d 'Serve this directory and keep there what is pushed, instead of kist\'s own images' -r
complete -c kist -n "__fish_kist_using_subcommand registry; and __fish_seen_subcommand_from serve" -l tls-cert -d 'Certificate in PEM, followed by those that lead to a root' -r
complete -c kist -n "__fish_kist_using_subcommand registry; and __fish_seen_subcommand_from serve" -l tls-key -d 'Key of the certificate in PEM' -r
complete -c kist -n "__fish_kist_using_subcommand registry; and __fish_seen_subcommand_from serve" -l help
complete -c kist -n "__fish_kist_using_subcommand registry; and __fish_seen_subcommand_from serve" -s h
complete -c kist -n "__fish_kist_using_subcommand registry; and __fish_seen_subcommand_from serve" -l read-only -d 'Let clients pull, and neither push nor delete'
complete -c kist -n "__fish_kist_using_subcommand system; and not __fish_seen_subcommand_from info events prune df check start" -f -a "info" -d 'Display system-wide information'
complete -c kist -n "__fish_kist_using_subcommand system; and not __fish_seen_subcommand_from info events prune df check start" -f -a "events" -d 'Get real time events'
complete -c kist -n "__fish_kist_using_subcommand system; and not __fish_seen_subcommand_from info events prune df check start" -f -a "prune" -d 'Remove unused data'
complete -c kist -n "__fish_kist_using_subcommand system; and not __fish_seen_subcommand_from info events prune df check start" -f -a "df" -d 'Show kist disk usage'
complete -c kist -n "__fish_kist_using_subcommand system; and not __fish_seen_subcommand_from info events prune df check start" -f -a "check" -d 'Compare everything that is stored with what it should be, and name each damage with its remedy'
complete -c kist -n "__fish_kist_using_subcommand system; and not __fish_seen_subcommand_from info events prune df check start" -f -a "start" -d 'Start the containers whose restart policy asks for it, as after a boot'
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from info" -s f -l format -d 'Format output using a custom template: \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from info" -l help
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from info" -s h
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from events" -s f -l filter -d 'Filter output based on conditions provided' -r
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from events" -l format -d 'Format output using a custom template: \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from events" -l since -d 'Show all events created since timestamp' -r
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from events" -l until -d 'Stream events until this timestamp' -r
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from events" -l help
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from events" -s h
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from prune" -l filter -d 'Provide filter values (e.g. "label=<key>=<value>")' -r
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from prune" -l help
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from prune" -s h
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from prune" -s a -l all -d 'Remove all unused images not just dangling ones'
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from prune" -s f -l force -d 'Do not prompt for confirmation'
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from prune" -l volumes -d 'Prune anonymous volumes'
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from df" -l format -d 'Format output using a custom template: \'table\':            Print output in table format with column headers (default) \'table TEMPLATE\':   Print output in table format using the given Go template \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from df" -l help
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from df" -s h
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from df" -s v -l verbose -d 'Show detailed information on space usage'
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from check" -l help
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from check" -s h
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from check" -l quick -d 'Read the records only, not the files of each layer'
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from start" -l help
complete -c kist -n "__fish_kist_using_subcommand system; and __fish_seen_subcommand_from start" -s h
complete -c kist -n "__fish_kist_using_subcommand volume; and not __fish_seen_subcommand_from create inspect ls list prune rm remove" -f -a "create" -d 'Create a volume'
complete -c kist -n "__fish_kist_using_subcommand volume; and not __fish_seen_subcommand_from create inspect ls list prune rm remove" -f -a "inspect" -d 'Display detailed information on one or more volumes'
complete -c kist -n "__fish_kist_using_subcommand volume; and not __fish_seen_subcommand_from create inspect ls list prune rm remove" -f -a "ls" -d 'List volumes'
complete -c kist -n "__fish_kist_using_subcommand volume; and not __fish_seen_subcommand_from create inspect ls list prune rm remove" -f -a "list" -d 'List volumes'
complete -c kist -n "__fish_kist_using_subcommand volume; and not __fish_seen_subcommand_from create inspect ls list prune rm remove" -f -a "prune" -d 'Remove unused local volumes'
complete -c kist -n "__fish_kist_using_subcommand volume; and not __fish_seen_subcommand_from create inspect ls list prune rm remove" -f -a "rm" -d 'Remove one or more volumes'
complete -c kist -n "__fish_kist_using_subcommand volume; and not __fish_seen_subcommand_from create inspect ls list prune rm remove" -f -a "remove" -d 'Remove one or more volumes'
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from create" -s d -l driver -d 'Specify volume driver name (default "local")' -r
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from create" -l label -d 'Set metadata for a volume' -r
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from create" -l name -d '' -r
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from create" -s o -l opt -d 'Set driver specific options (default map[])' -r
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from create" -l help
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from create" -s h
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from inspect" -s f -l format -d 'Format output using a custom template: \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from inspect" -l help
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from inspect" -s h
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from ls" -s f -l filter -d 'Provide filter values (e.g. "dangling=true")' -r
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from ls" -l format -d 'Format output using a custom template: \'table\':            Print output in table format with column headers (default) \'table TEMPLATE\':   Print output in table format using the given Go template \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from ls" -l help
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from ls" -s h
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'Only display volume names'
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from list" -s f -l filter -d 'Provide filter values (e.g. "dangling=true")' -r
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from list" -l format -d 'Format output using a custom template: \'table\':            Print output in table format with column headers (default) \'table TEMPLATE\':   Print output in table format using the given Go template \'json\':             Print in JSON format \'TEMPLATE\':         Print output using the given Go template. Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates' -r
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from list" -l help
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from list" -s h
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Only display volume names'
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from prune" -l filter -d 'Provide filter values (e.g. "label=<label>")' -r
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from prune" -l help
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from prune" -s h
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from prune" -s a -l all -d 'Remove all unused volumes, not just anonymous ones'
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from prune" -s f -l force -d 'Do not prompt for confirmation'
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from rm" -l help
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from rm" -s h
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from rm" -s f -l force -d 'Force the removal of one or more volumes'
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from remove" -l help
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from remove" -s h
complete -c kist -n "__fish_kist_using_subcommand volume; and __fish_seen_subcommand_from remove" -s f -l force -d 'Force the removal of one or more volumes'
