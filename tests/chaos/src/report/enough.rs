//! Whether enough happened in a run for it to show anything, whatever was found.

use crate::doubts::Drawn;

/// A run of so many faults is taken for a proof.
const PROOF: usize = 100;
/// And then at least so much has to happen meanwhile.
const PROOF_RATE: f64 = 50.0;
/// One of so many for the whole proof: then it has seen all that Telegram may do.
const WHOLE_PROOF: usize = 1_000;

/// Half of the faults are to hit work in flight; of only a hundred, two of five are as good.
pub(super) fn too_little(rate: f64, faults: usize, in_flight: usize, unknown: u64) -> Vec<String> {
    let mut all = Vec::new();
    if faults >= PROOF && rate < PROOF_RATE {
        all.push(format!(
            "{rate:.0} updates a second, fewer than {PROOF_RATE:.0}: the machine is too slow for this run to show anything"
        ));
    }
    let enough = match faults {
        WHOLE_PROOF.. => in_flight * 2 >= faults,
        PROOF.. => in_flight * 5 >= faults * 2,
        _ => true,
    };
    if !enough {
        all.push(format!(
            "only {in_flight} of {faults} faults hit work in flight"
        ));
    }
    if unknown > 0 {
        all.push(format!(
            "{unknown} updates that Telegram would not give out are unknown"
        ));
    }
    all
}

pub(super) fn never_drawn(faults: usize, drawn: &Drawn) -> Vec<String> {
    if faults < WHOLE_PROOF {
        return Vec::new();
    }
    let all = drawn.iter().flat_map(|(name, counts)| {
        let never = counts.iter().filter(|(_, times)| **times == 0);
        never.map(move |(value, _)| format!("{name} was never {value}"))
    });
    all.collect()
}
