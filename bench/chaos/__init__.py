"""Everything is killed at random under hundreds of executions; then what is lost is counted."""
