//! Measurements. The side-by-side with rclone is `side_by_side.py` beside this crate.
