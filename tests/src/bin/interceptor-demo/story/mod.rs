// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The story: one file per act.

mod enroll;
mod explain;
mod outage;
mod request;
mod without;

use crate::{stage::Stage, tell::Tell};

pub(crate) fn tell(tell: &mut Tell, stage: &mut Stage<'_>) -> anyhow::Result<()> {
    without::before(tell, stage)?;
    let mut sidecars = enroll::enroll(tell, stage)?;
    request::with_curl(tell, stage, &mut sidecars)?;
    request::from_inside(tell, stage, &mut sidecars)?;
    explain::explain(tell, stage)?;
    let sidecars = outage::of_the_client(tell, stage, sidecars)?;
    let sidecars = outage::of_the_web_pod(tell, stage, sidecars)?;
    without::after(tell, stage, sidecars)
}
