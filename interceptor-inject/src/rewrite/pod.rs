// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One pod or pod template: decides, and puts the pieces together.

use serde_json::Value;

use super::{
    container, image,
    judge::{self, Judged},
    options::Rewrite,
};
use crate::{
    malformed::{At, Object},
    ours::{self, Presence},
    outcome::Reason,
    record::Record,
    walk::{Changed, Stop},
};

pub(super) fn rewrite(template: &At<'_>, options: &Rewrite) -> Result<Changed, Stop> {
    let Judged { init, arguments, warnings, .. } = judge::judge(template, options)?;
    let spec = template.required("spec")?;

    let present = init.image()?;
    let image = image::chosen(options, present);
    let record = Record::read(template)?;
    let is_ours =
        present == image || image::is_ours(present) || record.as_ref().is_some_and(|record| record.image == present);
    let mut new_container = container::changed(&init, &arguments, &image, options)?;
    // What Istio injected again is the original now.
    let record = match (is_ours, record) {
        (true, record) => record.map(|record| Record { image: image.clone(), moved: None, ..record }),
        (false, _) => Some(Record::of(init.container.object()?, &new_container, &image)),
    };

    let mut new_spec = spec.object()?.clone();
    let to_container = ours::of_container().into_iter().map(|part| (part, true));
    for (part, is_in_container) in to_container.chain(ours::of_pod().into_iter().map(|part| (part, false))) {
        let (owner, new) = if is_in_container {
            (&init.container, &mut new_container)
        } else {
            (&spec, &mut new_spec)
        };
        match part.presence(owner)? {
            Presence::Present => {}
            Presence::Absent => part.add(new),
            Presence::Taken(what) => return Err(Reason::Taken { what }.into()),
        }
    }
    if let Some(slot) = new_spec.get_mut("initContainers").and_then(|list| list.get_mut(init.index)) {
        *slot = Value::Object(new_container);
    }
    let mut new: Object = template.object()?.clone();
    new.insert("spec".to_owned(), Value::Object(new_spec));
    if let Some(record) = record {
        record.write(&mut new);
    }
    Ok(Changed { template: new, warnings })
}
