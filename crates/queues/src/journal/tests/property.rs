//! Whatever is recorded and noted, in whatever groups: the journal knows what a map would.

use proptest::prelude::*;

use super::*;

fn one() -> impl Strategy<Value = Entry> {
    let state = proptest::sample::select(ItemState::ALL.to_vec());
    (0..6_u8, state, proptest::option::of("[a-z]{1,4}")).prop_map(|(item, state, detail)| Entry {
        item: format!("m-{item} é'").into(),
        state,
        detail,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_journal_knows_what_a_map_would(groups in proptest::collection::vec(
        (proptest::collection::vec(one(), 0..5), any::<bool>()), 0..8,
    )) {
        let mut model: BTreeMap<String, Item> = BTreeMap::new();
        for Entry { item, state, detail } in groups.iter().flat_map(|(entries, _)| entries) {
            let known = model.remove(&**item).filter(|known| known.state != ItemState::Failed);
            let detail = detail.clone().or(known.and_then(|known| known.detail));
            model.insert(item.to_string(), Item { item: item.to_string(), state: *state, detail });
        }
        let here = Here::new();
        let journal = here.journal();
        let run = journal.begin(&start("k")).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let states = runtime.block_on(async {
            let writer = run.writer();
            for (entries, durable) in groups {
                match durable {
                    true => writer.record(entries).await.unwrap(),
                    false => writer.note(entries).await.unwrap(),
                }
            }
            writer.states(model.keys().map(|item| item.as_str().into()).collect()).await.unwrap()
        });
        prop_assert_eq!(states, model.values().map(|item| Some(item.state)).collect::<Vec<_>>());
        let summary = journal.run(run.id()).unwrap();
        let mut paged: Vec<Item> = Vec::new();
        loop {
            let page = journal.items(&summary, None, paged.last().map(|item| item.item.as_str()), 2).unwrap();
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        prop_assert_eq!(paged, model.into_values().collect::<Vec<_>>());
    }
}
