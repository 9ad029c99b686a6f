//! Simulators of the two networks, with faults on demand.
