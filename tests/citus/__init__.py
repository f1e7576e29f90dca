"""Running the tests on a Citus cluster: `make test-citus`. The tests in here run nowhere else."""
