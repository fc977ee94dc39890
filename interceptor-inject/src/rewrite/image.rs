// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which image the container gets. No registry is asked.

use super::options::Rewrite;

/// This version's image, as `cargo xtask image` and the Helm chart call it. Nobody publishes it: a name without a
/// registry would be somebody else's image at Docker Hub.
pub const DEFAULT_IMAGE: &str = concat!("localhost/interceptor:", env!("CARGO_PKG_VERSION"));
const NAME: &str = "interceptor";

/// The image that takes the place of `present`. An image of this version from a mirror stays.
pub(super) fn chosen(options: &Rewrite, present: &str) -> String {
    match &options.image {
        Some(image) => image.clone(),
        None if last_part(present) == last_part(DEFAULT_IMAGE) => present.to_owned(),
        None => DEFAULT_IMAGE.to_owned(),
    }
}

/// Whether an image is one of Interceptor's, of whatever version, by its name.
pub(crate) fn is_ours(image: &str) -> bool {
    last_part(image).split(':').next() == Some(NAME)
}

/// Name and tag of an image, without its registry, its path and its digest.
fn last_part(image: &str) -> &str {
    let tagged = image.split('@').next().unwrap_or_default();
    tagged.rsplit('/').next().unwrap_or_default()
}
