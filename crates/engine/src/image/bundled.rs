//! The hello-world image inside the binary: a real OCI image, made here byte by byte, so that a fresh machine without a registry can
//! run something. Its one layer holds `/hello`, an ELF executable of a few instructions that need no libc.

use spec::digest::{DiffId, Digest};
use spec::image::media;
use spec::platform::Platform;

/// The name it answers to.
pub const NAME: &str = "docker.io/library/hello-world:latest";

const MESSAGE: &str = "
Hello from kist!
This message shows that your installation appears to be working correctly.

To generate this message, kist took the following steps:
 1. It found no \"hello-world\" image in its store and took the copy that is bundled in the kist binary.
 2. It unpacked that image's layer and mounted it as the container's root file system.
 3. A monitor process created the container from that image, which runs the executable that produces
    the output you are currently reading.
 4. The monitor streamed that output to your terminal, and nothing is left running.

To try something more ambitious, you can run a shell in an image of your own:
 $ tar -C rootfs -c . | kist import - mine
 $ kist run -it mine sh
";

/// The image as an OCI layout tar, for this machine's architecture; none where there are no instructions for it.
#[must_use]
pub fn archive() -> Option<Vec<u8>> {
    let machine = Machine::of(std::env::consts::ARCH)?;
    let layer = tar(&[Entry { name: "hello", mode: 0o755, bytes: &machine.executable(MESSAGE.as_bytes()) }]);
    let Platform { os, architecture, .. } = Platform::host();
    let config = format!(
        r#"{{"architecture":"{architecture}","config":{{"Cmd":["/hello"],"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],"WorkingDir":"/"}},"created":"2026-01-01T00:00:00Z","history":[{{"created":"2026-01-01T00:00:00Z","created_by":"COPY hello / # kist"}},{{"created":"2026-01-01T00:00:00Z","created_by":"CMD [\"/hello\"]","empty_layer":true}}],"os":"{os}","rootfs":{{"diff_ids":["{}"],"type":"layers"}}}}"#,
        DiffId(Digest::sha256(&layer))
    );
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
        media::MANIFEST,
        descriptor(media::CONFIG, config.as_bytes()),
        descriptor(media::LAYER, &layer)
    );
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{{"mediaType":"{}","digest":"{}","size":{},"annotations":{{"io.containerd.image.name":"{NAME}","org.opencontainers.image.ref.name":"latest"}}}}]}}"#,
        media::INDEX,
        media::MANIFEST,
        Digest::sha256(manifest.as_bytes()),
        manifest.len()
    );
    let blob = |bytes: &[u8]| format!("blobs/sha256/{}", Digest::sha256(bytes).hex());
    Some(tar(&[
        Entry { name: "oci-layout", mode: 0o644, bytes: br#"{"imageLayoutVersion":"1.0.0"}"# },
        Entry { name: "index.json", mode: 0o644, bytes: index.as_bytes() },
        Entry { name: &blob(manifest.as_bytes()), mode: 0o644, bytes: manifest.as_bytes() },
        Entry { name: &blob(config.as_bytes()), mode: 0o644, bytes: config.as_bytes() },
        Entry { name: &blob(&layer), mode: 0o644, bytes: &layer },
    ]))
}

fn descriptor(media_type: &str, bytes: &[u8]) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"{}","size":{}}}"#, Digest::sha256(bytes), bytes.len())
}

struct Entry<'a> {
    name: &'a str,
    mode: u32,
    bytes: &'a [u8],
}

/// A ustar archive (POSIX.1-1988) of regular files owned by root.
fn tar(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        let mut header = [0u8; 512];
        let mut field = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        field(0, entry.name);
        field(100, &format!("{:07o}", entry.mode));
        field(108, "0000000");
        field(116, "0000000");
        field(124, &format!("{:011o}", entry.bytes.len()));
        field(136, "15125252000");
        field(148, "        ");
        field(156, "0");
        field(257, "ustar\x0000");
        let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(entry.bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

#[derive(Clone, Copy)]
enum Machine {
    X86_64,
    Aarch64,
}

/// Where the one segment is loaded.
const BASE: u64 = 0x40_0000;
/// ELF header and one program header.
const HEADERS: u64 = 64 + 56;

impl Machine {
    fn of(architecture: &str) -> Option<Machine> {
        match architecture {
            "x86_64" => Some(Machine::X86_64),
            "aarch64" => Some(Machine::Aarch64),
            _ => None,
        }
    }

    /// `write(1, message, length); exit(0)`, with the message right behind the code.
    fn code(self, length: u16) -> Vec<u8> {
        match self {
            Machine::X86_64 => {
                let [low, high] = length.to_le_bytes();
                let mut code = vec![0xb8, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0]; // mov eax, 1 (write); mov edi, 1
                code.extend([0x48, 0x8d, 0x35, 16, 0, 0, 0]); // lea rsi, [rip + 16]
                code.extend([0xba, low, high, 0, 0, 0x0f, 0x05]); // mov edx, length; syscall
                code.extend([0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05]); // mov eax, 60 (exit); xor edi, edi; syscall
                code
            }
            Machine::Aarch64 => [
                0xd280_0020,                            // mov x0, 1
                0x1000_00e1,                            // adr x1, 28 bytes ahead
                0xd280_0002 | (u32::from(length) << 5), // mov x2, length
                0xd280_0808,                            // mov x8, 64 (write)
                0xd400_0001,                            // svc 0
                0xd280_0000,                            // mov x0, 0
                0xd280_0ba8,                            // mov x8, 93 (exit)
                0xd400_0001,                            // svc 0
            ]
            .into_iter()
            .flat_map(u32::to_le_bytes)
            .collect(),
        }
    }

    /// A static executable (ELF-64 object file format) with one loaded segment.
    fn executable(self, message: &[u8]) -> Vec<u8> {
        let length = u16::try_from(message.len()).expect("the message is a short constant");
        let code = self.code(length);
        let size = HEADERS + (code.len() + message.len()) as u64;
        let machine: u16 = match self {
            Machine::X86_64 => 62,
            Machine::Aarch64 => 183,
        };
        let mut out = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let half = |out: &mut Vec<u8>, value: u16| out.extend(value.to_le_bytes());
        half(&mut out, 2); // an executable
        half(&mut out, machine);
        out.extend(1u32.to_le_bytes());
        for address in [BASE + HEADERS, 64, 0] {
            out.extend(address.to_le_bytes()); // entry point, program headers, section headers
        }
        out.extend(0u32.to_le_bytes());
        for value in [64, 56, 1, 64, 0, 0] {
            half(&mut out, value); // sizes and counts of headers
        }
        out.extend(1u32.to_le_bytes()); // PT_LOAD
        out.extend(5u32.to_le_bytes()); // readable, executable
        for value in [0, BASE, BASE, size, size, 0x1000] {
            out.extend(value.to_le_bytes());
        }
        out.extend(code);
        out.extend(message);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_reaches_the_message() {
        // The offsets in the instructions are from behind `lea` (17 bytes in) and from `adr` (4 bytes in).
        assert_eq!(Machine::X86_64.code(5).len(), 17 + 16);
        assert_eq!(Machine::Aarch64.code(5).len(), 4 + 28);
        let file = Machine::X86_64.executable(b"hi");
        assert_eq!(file.len(), 120 + 33 + 2);
    }
}
