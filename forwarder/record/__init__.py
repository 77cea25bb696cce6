"""What has passed through Kafka as a NeXus file: an HDF5 file in the layout that tools for neutron data expect.

Nothing here knows Kafka: it is given decoded messages. h5py is an extra, so whatever imports this package is imported
when a file is to be written, and not before.
"""
