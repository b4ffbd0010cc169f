/* SPDX-License-Identifier: GPL-2.0-only
   The few names LAMMPS' headers take from mpi.h, with the sizes of the MPICH ABI (MPICH, Intel MPI, MVAPICH, and LAMMPS' own
   serial stubs): handles are ints. For an Open MPI build of LAMMPS use its own mpi.h instead. */
#ifndef LACE_MPI_STANDIN_H
#define LACE_MPI_STANDIN_H

typedef int MPI_Comm;
typedef int MPI_Datatype;
typedef int MPI_Op;
typedef int MPI_Request;
typedef int MPI_Info;
typedef int MPI_Group;
typedef long MPI_Aint;
typedef long long MPI_Offset;
typedef struct MPI_Status {
  int count_lo, count_hi_and_cancelled, MPI_SOURCE, MPI_TAG, MPI_ERROR;
} MPI_Status;

#define MPI_BYTE ((MPI_Datatype)0x4c00010d)
#define MPI_SUCCESS 0

#ifdef __cplusplus
extern "C"
#endif
int MPI_Bcast(void *, int, MPI_Datatype, int, MPI_Comm);

#endif
