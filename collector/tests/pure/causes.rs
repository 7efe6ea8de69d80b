//! Every cause: a case where it holds, and near misses where it must not.

mod calls;
mod history;
mod order;
mod process;
mod start;
mod support;
mod workers;

#[test]
fn every_cause_is_tested_here() {
    let tested = concat!(
        include_str!("causes/calls.rs"),
        include_str!("causes/history.rs"),
        include_str!("causes/order.rs"),
        include_str!("causes/process.rs"),
        include_str!("causes/start.rs"),
        include_str!("causes/workers.rs")
    );
    let untested: Vec<_> = support::names().into_iter().filter(|name| !tested.contains(&format!("\"{name}\""))).collect();
    assert_eq!(untested, [""; 0]);
}
