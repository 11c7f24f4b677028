"""Answers to user inputs, what a method kept on the way, and calibration on sample user inputs."""
