//! The distributor: takes pushes, validates and limits them, replicates them to ingesters, answers after a quorum.
