// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What `interceptor render` prints that is about injection. Nothing is changed, and no cluster is asked.

mod configuration;

use std::io::{self, ErrorKind, Write as _};

use anyhow::{Context as _, Result, bail};

use crate::{
    args::{Mode, RenderArgs},
    certificate::read_any,
};

pub(crate) fn run(args: &RenderArgs) -> Result<()> {
    let text = match args {
        RenderArgs::Webhook(args) => {
            if args.mode == Mode::Plain && args.revision.is_some() {
                bail!("--revision is about pods that Istio injects; leave it out with --mode plain");
            }
            let authority = args.ca_file.as_ref().map(|path| {
                let read = read_any(path).context("--ca-file")?;
                String::from_utf8(read).with_context(|| format!("{} is no text (--ca-file)", path.display()))
            });
            let authority = authority.transpose()?;
            if authority
                .as_ref()
                .is_some_and(|authority| !authority.contains("-----BEGIN CERTIFICATE-----"))
            {
                bail!("There is no certificate in PEM in the file that --ca-file names");
            }
            let manifest = configuration::manifest(args, authority.as_deref());
            serde_saphyr::to_string(&manifest).context("Failed to write YAML")?
        }
        RenderArgs::IstioValues(args) => interceptor_inject::istio_values(&args.image),
    };
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("Failed to write to standard output"),
    }
}

pub(crate) fn error(error: &anyhow::Error) {
    // If standard error cannot be written, there is no place left to say so.
    let _written = writeln!(io::stderr().lock(), "interceptor: error: {error:#}");
}
