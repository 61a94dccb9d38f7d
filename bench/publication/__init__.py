"""What others read: a run as a folder for a static host, and the list of all reports. Imports no torch."""
