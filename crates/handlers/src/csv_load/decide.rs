//! What an event means for a file whose record says what it says. Asks nobody.

use claimctl_claim::Claim;

use super::Load;
use crate::aws::Object;

/// What is to be done about an event.
#[derive(Debug, PartialEq)]
pub enum Decision {
    /// A load is begun, in the place of the record that was read.
    Begin(Load),
    /// A load of the same content was begun, and did not come to its end.
    GoOn(Load),
    /// This content is loaded, or refused, already.
    Duplicate,
    /// The record, or the bucket, has newer content.
    Superseded,
    /// The object went away, and nothing is known of it.
    Missing,
    /// Without a sequencer on both sides there is no order: the object itself decides.
    AskObject,
}

pub fn by_record(existing: Option<&Load>, claim: &Claim) -> Decision {
    let Some(sequencer) = claim.sequencer.as_ref().filter(|_| claim.etag.is_some()) else {
        return Decision::AskObject;
    };
    let Some(existing) = existing else {
        return Decision::Begin(Load::first(claim.clone()));
    };
    match &existing.claim.sequencer {
        None => Decision::AskObject,
        Some(known) if known == sequencer => same(existing),
        Some(known) if known < sequencer => Decision::Begin(existing.next(claim.clone())),
        Some(_) => Decision::Superseded,
    }
}

/// `object`: as it is now.
pub fn by_object(existing: Option<&Load>, claim: &Claim, object: Option<&Object>) -> Decision {
    let announced = claim.sequencer.is_some();
    let Some(object) = object else {
        return match existing {
            _ if announced => Decision::Superseded,
            Some(_) => Decision::Duplicate,
            None => Decision::Missing,
        };
    };
    if announced && claim.etag.is_some() && claim.etag != object.etag {
        return Decision::Superseded;
    }
    let Object { etag, size, version_id } = object.clone();
    let claim = Claim { etag, size, version_id, ..claim.clone() };
    match existing {
        None => Decision::Begin(Load::first(claim)),
        Some(existing) if existing.claim.etag != claim.etag => Decision::Begin(existing.next(claim)),
        // Sent by hand for a file that was refused: whoever did that has changed something.
        Some(existing) if existing.refused.is_some() && !announced => {
            let sequencer = existing.claim.sequencer.clone();
            Decision::Begin(existing.next(Claim { sequencer, ..claim }))
        }
        Some(existing) => same(existing),
    }
}

fn same(existing: &Load) -> Decision {
    if existing.is_finished() { Decision::Duplicate } else { Decision::GoOn(existing.clone()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv_load::Progress;
    use claimctl_claim::Status;

    fn claim(sequencer: Option<&str>, etag: &str) -> Claim {
        Claim { sequencer: sequencer.map(Into::into), etag: Some(etag.into()), ..Claim::pointer("b", "k") }
    }

    fn object(etag: &str) -> Object {
        Object { etag: Some(etag.into()), ..Object::default() }
    }

    fn loaded(sequencer: Option<&str>, etag: &str) -> Load {
        Load { progress: Some(Progress { rows: 3, ..Progress::default() }), ..Load::first(claim(sequencer, etag)) }
            .loaded()
    }

    #[test]
    fn sequencers_order_the_contents_of_a_key() {
        let second = loaded(Some("2"), "e2");
        assert_eq!(by_record(Some(&second), &claim(Some("1"), "e1")), Decision::Superseded);
        assert_eq!(by_record(Some(&second), &claim(Some("2"), "e2")), Decision::Duplicate);
        let Decision::Begin(third) = by_record(Some(&second), &claim(Some("3"), "e3")) else { panic!() };
        assert_eq!((third.number, third.rows_of, third.rows, third.replaces), (2, Some(1), 3, true));
        let Decision::Begin(first) = by_record(None, &claim(Some("1"), "e1")) else { panic!() };
        assert_eq!((first.number, first.rows_of, first.replaces), (1, None, false));
    }

    #[test]
    fn a_load_that_did_not_end_is_gone_on_with_and_one_in_the_middle_leaves_a_mixture() {
        let begun = Load { progress: Some(Progress::default()), ..Load::first(claim(Some("2"), "e2")) };
        assert_eq!(by_record(Some(&begun), &claim(Some("2"), "e2")), Decision::GoOn(begun.clone()));
        let Decision::Begin(next) = by_record(Some(&begun), &claim(Some("3"), "e3")) else { panic!() };
        assert!(next.is_mixed() && next.replaces && next.rows_of.is_none());
        // Of a load that has not written yet the rows before it are all there.
        let looking = Load { writing_until: 7, ..loaded(Some("1"), "e1").next(claim(Some("2"), "e2")) };
        let Decision::Begin(next) = by_record(Some(&looking), &claim(Some("3"), "e3")) else { panic!() };
        assert_eq!((next.is_mixed(), next.rows_of, next.rows, next.not_before), (false, Some(1), 3, 7));
    }

    #[test]
    fn without_a_sequencer_the_object_decides() {
        let known = loaded(Some("2"), "e2");
        let by_hand = claim(None, "");
        assert_eq!(by_record(Some(&known), &by_hand), Decision::AskObject);
        assert_eq!(by_record(Some(&loaded(None, "e2")), &claim(Some("3"), "e3")), Decision::AskObject);
        assert_eq!(by_object(Some(&known), &by_hand, Some(&object("e2"))), Decision::Duplicate);
        assert!(matches!(by_object(Some(&known), &by_hand, Some(&object("e3"))), Decision::Begin(_)));
        assert_eq!(by_object(Some(&known), &by_hand, None), Decision::Duplicate);
        assert_eq!(by_object(None, &by_hand, None), Decision::Missing);
        // An event of content that is there no more.
        let late = claim(Some("1"), "e1");
        assert_eq!(by_object(Some(&loaded(None, "e2")), &late, Some(&object("e2"))), Decision::Superseded);
        assert_eq!(by_object(None, &late, None), Decision::Superseded);
    }

    #[test]
    fn a_refused_file_is_tried_again_by_hand_only() {
        let refused = Load::first(claim(Some("2"), "e2")).refused("why".into(), None, false);
        assert_eq!(by_record(Some(&refused), &claim(Some("2"), "e2")), Decision::Duplicate);
        let Decision::Begin(again) = by_object(Some(&refused), &claim(None, ""), Some(&object("e2"))) else { panic!() };
        assert_eq!((again.claim.sequencer.as_deref(), again.number, again.status), (Some("2"), 2, Status::Recorded));
    }
}
